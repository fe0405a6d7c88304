// One of two header-only units, of which each may have libdeflate or not.
#include <fairlead/protocol/compression_workspace.hpp>

bool second_has_a_workspace();

int main() {
  const fairlead::compression_workspace workspace;
  return workspace.memory_size() == 0 && second_has_a_workspace() ? 0 : 1;
}
