#ifndef FAIRLEAD_TESTS_CONFORMANCE_SIMPLE_PEER_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_SIMPLE_PEER_HPP

#include "peer.hpp"

namespace conformance {

/// What a peer does wrong. Each has to be caught.
enum class flaw {
  none,
  masks_wrongly,           ///< A client that does not mask, a server that does.
  wrong_close_code,        ///< Fails every connection with 1011.
  accepts_any_text,        ///< Does not look at UTF-8.
  accepts_any_close_code,  ///< And sends it back.
  no_pong,
  late_pong,  ///< Answers pings behind the message that they came in.
  accepts_reserved_bits,
  echoes_as_binary,
  drops_last_byte,
  no_close_frame,  ///< Does not answer a close frame, but ends the link.
  keeps_the_link,  ///< Does not end the link after the close handshake.
  talks_after_close,
  keeps_the_context,   ///< Compresses with context takeover where none was agreed.
  exceeds_the_window,  ///< Compresses with a window of 32 KiB where a smaller one was agreed.
};

/// An echo that is made of the tester's own parts and looks at text only when a message is whole.
peer_kind simple_peer(side role, flaw f);

}  // namespace conformance

#endif
