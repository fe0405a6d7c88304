# No flag changes the size or the alignment of a type: neither of a public one nor of one that templates reach inside a
# user's unit. A generated program prints all of them.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

make_fresh_folder(build layout)
ask_pkg_config("${WORK}/prefix")

set(root "${PROJECT_SOURCE}/include")
file(GLOB_RECURSE headers RELATIVE "${root}" "${root}/*.hpp")
list(FILTER headers EXCLUDE REGEX "/impl/")
set(includes "#include <cstdio>\n")
set(prints "")
foreach(header IN LISTS headers)
  string(APPEND includes "#include <${header}>\n")
  set(previous "")
  # Every line that begins at the margin: a class is one of a template when such a line is before it.
  file(STRINGS "${root}/${header}" lines REGEX "^[a-z]")
  foreach(line IN LISTS lines)
    if(NOT previous MATCHES "^template" AND line MATCHES "^(struct|class) (alignas\\([0-9]+\\) )?([a-z_]+) [^;]*{$")
      string(APPEND prints "  print<${CMAKE_MATCH_3}>(\"${CMAKE_MATCH_3}\");\n")
    endif()
    set(previous "${line}")
  endforeach()
endforeach()
file(WRITE "${build}/layout.cpp" "${includes}
namespace fairlead::inline FAIRLEAD_ABI::detail {
template <class T>
void print(const char* name) {
  std::printf(\"%s: size %zu, alignment %zu\\n\", name, sizeof(T), alignof(T));
}
void print_all() {
${prints}}
}
int main() { fairlead::detail::print_all(); }
")

set(first "")
foreach(flags "-O0" "-O2 -DNDEBUG -DFAIRLEAD_LIBDEFLATE" "-O2 -march=native" "-O0 -DNDEBUG -march=native")
  separate_arguments(flag_list UNIX_COMMAND "${flags}")
  run(${LAUNCHER} "${CXX}" -std=c++20 ${flag_list} ${cflags} -c "${build}/layout.cpp" -o "${build}/layout.o")
  run("${CXX}" "${build}/layout.o" ${libs} -o "${build}/layout")
  run("${build}/layout")
  if(NOT first)
    set(first "${output}")
    string(REGEX MATCHALL "\n" lines "${output}")
    list(LENGTH lines count)
    if(count LESS 40 OR NOT output MATCHES "\nsession: " OR NOT output MATCHES "\nserver_options: ")
      message(FATAL_ERROR "not all the types are here:\n${output}")
    endif()
  elseif(NOT output STREQUAL first)
    message(FATAL_ERROR "with ${flags}:\n${output}\nwith -O0:\n${first}")
  endif()
endforeach()
message(STATUS "the same with all flags:\n${first}")
