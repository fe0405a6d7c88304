#include "chapters.hpp"

namespace conformance {

suite whole_suite() {
  suite s;
  add_framing(s);
  add_pings(s);
  add_reserved_bits(s);
  add_opcodes(s);
  add_fragmentation(s);
  add_utf8(s);
  add_closing(s);
  add_limits(s);
  add_auto_fragmentation(s);
  add_compression(s);
  return s;
}

}  // namespace conformance
