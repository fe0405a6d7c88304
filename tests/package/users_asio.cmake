# Asio as a user may have it: a target, and a macro of its own that every unit has to share.
add_library(users_asio INTERFACE IMPORTED)
target_compile_definitions(users_asio INTERFACE ASIO_STANDALONE ASIO_STRAND_IMPLEMENTATIONS=7)
