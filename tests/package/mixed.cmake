# Two units whose macros for Asio differ do not link, and the linker names the configuration; two with the same ones
# do. With every linker that is there.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

make_fresh_folder(build mixed)
find_linkers()

# The pair of units as objects NAME-first.o and NAME-second.o.
function(compile_pair name)
  compile(mixed/first.cpp "${build}/${name}-first.o" -O2 -ffunction-sections -fdata-sections ${ARGN})
  compile(mixed/second.cpp "${build}/${name}-second.o" -O2 -ffunction-sections -fdata-sections ${ARGN})
endfunction()

set(tracking -DASIO_ENABLE_HANDLER_TRACKING)
ask_pkg_config("${WORK}/prefix-compiled_asio")
set(compiled_asio_cflags ${cflags})
set(compiled_asio_libs ${libs})
ask_pkg_config("${WORK}/prefix")
set(inline_cflags ${cflags})
list(REMOVE_ITEM inline_cflags -DFAIRLEAD_SEPARATE_COMPILATION)
set(inline_libs ${libs})
list(REMOVE_ITEM inline_libs -lfairlead)

# With the compiled library, each unit against the library's configuration.
compile_pair(usual ${cflags})
compile_pair(tracking ${cflags} ${tracking})
link_and_run(usual "${build}/usual-first.o" "${build}/usual-second.o" ${libs})
link_refused("fairlead_asio_[0-9]+_header_only_handler_tracking" "${build}/tracking-first.o" "${build}/tracking-second.o" ${libs})
link_refused("fairlead_asio_[0-9]+_header_only_handler_tracking" "${build}/usual-first.o" "${build}/tracking-second.o" ${libs})

# The other way round: the library's Asio is compiled, and the unit's is not.
compile_pair(separate ${compiled_asio_cflags})
link_and_run(separate "${build}/separate-first.o" "${build}/separate-second.o" ${compiled_asio_libs})
link_refused("fairlead_asio_[0-9]+_header_only" "${build}/usual-first.o" "${build}/separate-second.o" ${compiled_asio_libs})
link_refused("fairlead_asio_[0-9]+_separate_compilation" "${build}/separate-first.o" "${build}/usual-second.o" ${libs})

# Header-only: no library has a say.
compile_pair(inline ${inline_cflags})
compile_pair(inline_tracking ${inline_cflags} ${tracking})
link_and_run(inline "${build}/inline-first.o" "${build}/inline-second.o" ${inline_libs})
link_and_run(inline_tracking "${build}/inline_tracking-first.o" "${build}/inline_tracking-second.o" ${inline_libs})
link_refused("fairlead_asio_[0-9]+_header_only" "${build}/inline_tracking-first.o" "${build}/inline-second.o" ${inline_libs})
link_refused("fairlead_asio_[0-9]+_header_only" "${build}/inline-first.o" "${build}/inline_tracking-second.o" ${inline_libs})

# Compiled and header-only fairlead in one program: each has its own, and both have the same Asio.
compile(consumer/echo.cpp "${build}/of_compiled.o" ${cflags} -Decho_comes_back=echo_of_compiled)
compile(consumer/echo.cpp "${build}/of_header_only.o" ${inline_cflags} -Decho_comes_back=echo_of_header_only)
compile(mixed/both.cpp "${build}/both.o")
link_and_run(both "${build}/both.o" "${build}/of_compiled.o" "${build}/of_header_only.o" ${libs})
link_and_run(both "${build}/both.o" "${build}/of_header_only.o" "${build}/of_compiled.o" ${libs})
link_refused("fairlead_asio_[0-9]+_header_only" "${build}/usual-first.o" "${build}/inline_tracking-second.o" ${libs})

# -flto merges the units before the linker sees them. Clang's objects are for its own linker.
set(linkers "-flto")
if(COMPILER_ID MATCHES "Clang")
  set(linkers -fuse-ld=lld)
endif()
compile_pair(merged -flto ${inline_cflags})
compile_pair(merged_tracking -flto ${inline_cflags} ${tracking})
link_and_run(merged -flto "${build}/merged-first.o" "${build}/merged-second.o" ${inline_libs})
link_refused("fairlead_asio_[0-9]+_header_only" -flto "${build}/merged-first.o" "${build}/merged_tracking-second.o" ${inline_libs})
