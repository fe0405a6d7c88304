# What the package tests share. Each is a script: cmake -DSETTINGS=<settings.cmake> [-D...] -P <test>.cmake
cmake_minimum_required(VERSION 3.25)
include("${SETTINGS}")
set(here "${CMAKE_CURRENT_LIST_DIR}")

# run(COMMAND...): its output is seen only when it fails, and then ends the test. `output` has it.
function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${result}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# run_refused(WORDS COMMAND...): the command has to fail and to say each of the words.
function(run_refused words)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
  list(JOIN ARGN " " command)
  if(result EQUAL 0)
    message(FATAL_ERROR "${command}\nshould have failed:\n${output}")
  endif()
  # CMake breaks its messages into lines.
  string(REGEX REPLACE "[ \n]+" " " said "${output}")
  foreach(word IN LISTS words)
    if(NOT said MATCHES "${word}")
      message(FATAL_ERROR "${command}\nfailed without a word of '${word}':\n${output}")
    endif()
  endforeach()
  message(STATUS "refused as it should be:\n${output}")
endfunction()

# An empty folder of this test's own.
function(make_fresh_folder result name)
  file(REMOVE_RECURSE "${WORK}/${name}")
  file(MAKE_DIRECTORY "${WORK}/${name}")
  set(${result} "${WORK}/${name}" PARENT_SCOPE)
endfunction()

set(configure "${CMAKE_COMMAND}" -G Ninja "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
  -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)

# Configures, builds and runs the consumer.
function(consume folder)
  run(${configure} -S "${here}/consumer" -B "${folder}" ${ARGN})
  run("${CMAKE_COMMAND}" --build "${folder}" -j 1 --target consumer)
  run("${folder}/consumer")
endfunction()

# The flags of the fairlead in `prefix`, as lists: cflags, libs.
function(ask_pkg_config prefix)
  find_program(PKG_CONFIG NAMES pkg-config pkgconf REQUIRED)
  file(GLOB_RECURSE pc_file "${prefix}/fairlead.pc")
  cmake_path(GET pc_file PARENT_PATH folder)
  set(ENV{PKG_CONFIG_PATH} "${folder}")
  foreach(kind cflags libs)
    run("${PKG_CONFIG}" --${kind} fairlead)
    string(STRIP "${output}" output)
    separate_arguments(${kind} UNIX_COMMAND "${output}")
    set(${kind} "${${kind}}" PARENT_SCOPE)
  endforeach()
endfunction()

# compile(SOURCE OBJECT FLAGS...)
function(compile source object)
  run(${LAUNCHER} "${CXX}" -std=c++20 -Wall -Wextra -Werror ${ARGN} -c "${here}/${source}" -o "${object}")
endfunction()

# Every linker that is there, as options of the compiler: linkers.
function(find_linkers)
  set(linkers "")
  foreach(linker bfd gold lld)
    find_program(LD_${linker} ld.${linker})
    if(LD_${linker})
      list(APPEND linkers -fuse-ld=${linker})
    endif()
  endforeach()
  set(linkers "${linkers}" PARENT_SCOPE)
endfunction()

# With each of the `linkers`, in the folder `build`.
# link_and_run(PROGRAM OBJECTS AND LIBRARIES...)
function(link_and_run program)
  foreach(linker IN LISTS linkers)
    run("${CXX}" ${linker} -Wl,--gc-sections ${ARGN} -o "${build}/${program}")
    run("${build}/${program}")
  endforeach()
endfunction()
function(link_refused words)
  foreach(linker IN LISTS linkers)
    run_refused("${words}" "${CXX}" ${linker} -Wl,--gc-sections ${ARGN} -o "${build}/refused")
  endforeach()
endfunction()
