# Two header-only units of which one has libdeflate do not link, and the linker says which; two that agree do. With every
# linker that is there.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

make_fresh_folder(build mixed_libdeflate)
find_linkers()
ask_pkg_config("${WORK}/prefix")
list(REMOVE_ITEM cflags -DFAIRLEAD_SEPARATE_COMPILATION)

foreach(unit first_workspace second_workspace)
  foreach(way with without)
    set(macro "")
    if(way STREQUAL "with")
      set(macro -DFAIRLEAD_LIBDEFLATE)
    endif()
    compile(mixed/${unit}.cpp "${build}/${way}-${unit}.o" -O2 -ffunction-sections -fdata-sections ${cflags} ${macro})
    compile(mixed/${unit}.cpp "${build}/${way}-${unit}-merged.o" -O2 -flto ${cflags} ${macro})
  endforeach()
endforeach()

# try_pairs(SUFFIX FLAGS...)
function(try_pairs suffix)
  set(first first_workspace${suffix}.o)
  set(second second_workspace${suffix}.o)
  foreach(way with without)
    link_and_run(${way}${suffix} "${build}/${way}-${first}" "${build}/${way}-${second}" ${libs} -ldeflate ${ARGN})
  endforeach()
  link_refused("fairlead_header_only_without_libdeflate" "${build}/with-${first}" "${build}/without-${second}" ${libs} -ldeflate ${ARGN})
  link_refused("fairlead_header_only_with_libdeflate" "${build}/without-${first}" "${build}/with-${second}" ${libs} -ldeflate ${ARGN})
endfunction()

try_pairs("")
# -flto merges the units before the linker sees them. Clang's objects are for its own linker.
set(linkers "-flto")
if(COMPILER_ID MATCHES "Clang")
  set(linkers -fuse-ld=lld)
endif()
try_pairs("-merged" -flto)
