#ifndef FAIRLEAD_NET_SERVER_DETAIL_STATIC_FILES_HPP
#define FAIRLEAD_NET_SERVER_DETAIL_STATIC_FILES_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/response.hpp>

#include <filesystem>
#include <optional>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The file that a path names below `folder`, as a response; nothing when there is none to be shown. A path
/// that ends in `/` names its `index.html`. Hidden files, and whatever lies outside the folder, links
/// followed, are not there.
///
/// \param path  Decoded, relative to the folder.
FAIRLEAD_DECL std::optional<response> file_response(const std::filesystem::path& folder,
                                                    std::string_view path);

/// The folder as an absolute path. Throws std::system_error when it cannot be listed.
FAIRLEAD_DECL std::filesystem::path readable_folder(const std::filesystem::path& folder);

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/static_files.ipp>
#endif

#endif
