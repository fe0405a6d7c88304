#include <fairlead/protocol/message.hpp>

#include <support/catch.hpp>

#include <array>
#include <string>

using namespace fairlead;

// What a message carries: RFC 6455 section 5.6.

namespace {

shared_bytes shared(std::string_view text) { return shared_bytes::copy_of(std::as_bytes(std::span(text))); }

}  // namespace

TEST_CASE("a_kind_has_the_opcode_of_its_frames") {
  CHECK(opcode_of(message_kind::text) == opcode::text);
  CHECK(opcode_of(message_kind::binary) == opcode::binary);
}

TEST_CASE("strings_are_viewed_as_text_and_bytes_as_binary") {
  const std::string owned = "ahoy";
  for (const message_view view :
       {message_view("ahoy"), message_view(owned), message_view(std::string_view(owned))}) {
    CHECK(view.kind() == message_kind::text);
    CHECK(view.text() == "ahoy");
    CHECK(view.size() == 4);
    CHECK(view.owner() == nullptr);
  }
  const std::array data{std::byte{0}, std::byte{0xff}};
  const message_view view{std::span<const std::byte>(data)};
  CHECK(view.kind() == message_kind::binary);
  CHECK(view.bytes().data() == data.data());
  CHECK(view.size() == 2);
  CHECK(view.owner() == nullptr);
}

TEST_CASE("a_view_takes_any_kind_with_any_bytes") {
  const shared_bytes bytes = shared("ahoy");
  CHECK(message_view(message_kind::text, std::span<const std::byte>(bytes)).kind() == message_kind::text);
  CHECK(message_view(message_kind::binary, std::span<const std::byte>(bytes)).kind() == message_kind::binary);
}

TEST_CASE("a_view_of_shared_bytes_names_their_owner") {
  const shared_bytes bytes = shared("ahoy");
  const message_view view(message_kind::text, bytes);
  CHECK(view.owner() == &bytes);
  CHECK(view.bytes().data() == bytes.data());

  const message whole(message_kind::binary, bytes);
  const message_view of_message = whole;
  CHECK(of_message.kind() == message_kind::binary);
  CHECK(of_message.owner() == &whole.payload());
}

TEST_CASE("a_message_is_kept_without_a_copy_when_its_bytes_are_shared") {
  const shared_bytes bytes = shared("ahoy");
  const message kept = message_view(message_kind::text, bytes).keep();
  CHECK(kept.bytes().data() == bytes.data());
  CHECK(kept.kind() == message_kind::text);
}

TEST_CASE("a_message_is_kept_as_a_copy_when_its_bytes_are_lent") {
  std::string lent = "ahoy";
  const message kept = message_view(lent).keep();
  lent = "spoilt";
  CHECK(kept.text() == "ahoy");
  CHECK(kept.size() == 4);
  CHECK(kept.kind() == message_kind::text);
}

TEST_CASE("a_copy_of_a_message_shares_its_bytes") {
  const message first(message_kind::text, shared("ahoy"));
  const message second = first;
  CHECK(second.bytes().data() == first.bytes().data());
  CHECK(second.payload().data() == first.payload().data());
}

TEST_CASE("an_empty_message_is_a_message") {
  const message kept = message_view("").keep();
  CHECK(kept.size() == 0);
  CHECK(kept.text().empty());
  CHECK(kept.kind() == message_kind::text);
}
