#include <fairlead/protocol/compression_workspace.hpp>

bool second_has_a_workspace() {
  const fairlead::compression_workspace workspace;
  return workspace.memory_size() == 0;
}
