#ifndef FAIRLEAD_TESTS_CONFORMANCE_TCP_TRANSIT_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_TCP_TRANSIT_HPP

namespace conformance {

/// The descriptor of this process whose connection ends at `socket`; -1 when there is none.
int other_end_of(int socket);

/// Whether bytes, or the end, that one of two joined TCP sockets has sent have not come to the other yet. A socket
/// that is closed has none.
bool are_in_transit(int one, int other);

}  // namespace conformance

#endif
