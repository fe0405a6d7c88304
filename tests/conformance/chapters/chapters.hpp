#ifndef FAIRLEAD_TESTS_CONFORMANCE_CHAPTERS_CHAPTERS_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_CHAPTERS_CHAPTERS_HPP

#include "../test_case.hpp"

// The cases, a source for each chapter.
namespace conformance {

void add_framing(suite& s);             ///< 1.*
void add_pings(suite& s);               ///< 2.*
void add_reserved_bits(suite& s);       ///< 3.*
void add_opcodes(suite& s);             ///< 4.*
void add_fragmentation(suite& s);       ///< 5.*
void add_utf8(suite& s);                ///< 6.*
void add_closing(suite& s);             ///< 7.*
void add_limits(suite& s);              ///< 9.*
void add_auto_fragmentation(suite& s);  ///< 10.*
void add_compression(suite& s);         ///< 12.* and 13.*

/// All chapters.
suite whole_suite();

}  // namespace conformance

#endif
