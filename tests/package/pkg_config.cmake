# A plain compiler's command line, with what pkg-config knows about the fairlead in PREFIX.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

make_fresh_folder(build "${NAME}")
ask_pkg_config("${WORK}/${PREFIX}")
# Without the first it would work too, header-only.
foreach(macro FAIRLEAD_SEPARATE_COMPILATION ASIO_STANDALONE)
  if(NOT "-D${macro}" IN_LIST cflags)
    message(FATAL_ERROR "fairlead.pc has no ${macro}: ${cflags}")
  endif()
endforeach()
string(REGEX MATCH "-L([^;]+)" libdir "${libs}")
set(libdir "${CMAKE_MATCH_1}")
run("${CXX}" -std=c++20 "${here}/consumer/main.cpp" "${here}/consumer/echo.cpp" "${here}/consumer/timeout.cpp"
  ${cflags} ${libs} "-Wl,-rpath,${libdir}" -o "${build}/consumer")
run("${build}/consumer")
