# An installed tree knows neither where it was built nor where it was installed first.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

make_fresh_folder(build moved)
run("${CMAKE_COMMAND}" --install "${PROJECT_BUILD}" --prefix "${build}/first")
file(RENAME "${build}/first" "${build}/second")

file(GLOB_RECURSE texts "${build}/second/*.cmake" "${build}/second/*.pc" "${build}/second/*.hpp" "${build}/second/*.ipp")
foreach(text IN LISTS texts)
  file(READ "${text}" content)
  foreach(path "${PROJECT_SOURCE}" "${PROJECT_BUILD}" "/usr/")
    string(FIND "${content}" "${path}" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${text} has the path ${path}")
    endif()
  endforeach()
endforeach()

consume("${build}/consumer" -DWAY=find_package -DTARGET=fairlead::fairlead "-DCMAKE_PREFIX_PATH=${build}/second")
ask_pkg_config("${build}/second")
compile(consumer/echo.cpp "${build}/echo.o" ${cflags})
compile(consumer/timeout.cpp "${build}/timeout.o" ${cflags})
run("${CXX}" "${here}/consumer/main.cpp" "${build}/echo.o" "${build}/timeout.o" ${libs} -o "${build}/by_pkg_config")
run("${build}/by_pkg_config")
