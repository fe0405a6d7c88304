# Everything fairlead needs comes from the system. What is missing is named, with the package that has it.

macro(fairlead_need name package)
  find_package(${name} ${ARGN} QUIET)
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "fairlead needs ${name} (${ARGN}), which was not found. On Debian and Ubuntu: apt install ${package}")
  endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
fairlead_need(Threads libc6-dev)
fairlead_need(OpenSSL libssl-dev 3.0 COMPONENTS Crypto)
fairlead_need(simdjson libsimdjson-dev 3.0)

if(FAIRLEAD_ASIO STREQUAL "header_only" OR FAIRLEAD_ASIO STREQUAL "compiled")
  fairlead_need(Asio libasio-dev 1.22)
  if(FAIRLEAD_ASIO STREQUAL "compiled")
    add_library(fairlead_asio STATIC "${PROJECT_SOURCE_DIR}/src/asio.cpp")
    target_compile_definitions(fairlead_asio PUBLIC ASIO_SEPARATE_COMPILATION)
    target_link_libraries(fairlead_asio PUBLIC Asio::Asio)
    target_compile_features(fairlead_asio PUBLIC cxx_std_20)
    fairlead_sanitize(fairlead_asio)
    set(fairlead_asio fairlead_asio)
  else()
    set(fairlead_asio Asio::Asio)
  endif()
elseif(TARGET ${FAIRLEAD_ASIO})
  set(fairlead_asio ${FAIRLEAD_ASIO})
else()
  message(FATAL_ERROR "FAIRLEAD_ASIO is '${FAIRLEAD_ASIO}': neither header_only, compiled, nor a target that exists")
endif()

# Asio 1.22 knows the coroutines of Clang only from libc++'s old header, and Clang 14 itself does not announce what it
# has. Both are then told, in every unit that uses fairlead: the macros change Asio's configuration.
include(CheckCXXSourceCompiles)
set(fairlead_coroutine_definitions)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  block()
    get_target_property(asio_includes ${fairlead_asio} INTERFACE_INCLUDE_DIRECTORIES)
    if(asio_includes)
      set(CMAKE_REQUIRED_INCLUDES ${asio_includes})
    endif()
    set(CMAKE_REQUIRED_FLAGS -std=c++20)
    set(CMAKE_REQUIRED_DEFINITIONS -DASIO_STANDALONE)
    check_cxx_source_compiles("
      #include <asio/detail/config.hpp>
      #if !defined(ASIO_HAS_CO_AWAIT) || !defined(ASIO_HAS_STD_COROUTINE)
      #error
      #endif
      int main() {}" FAIRLEAD_ASIO_FINDS_COROUTINES)
    check_cxx_source_compiles("
      #if !defined(__cpp_impl_coroutine)
      #error
      #endif
      int main() {}" FAIRLEAD_COMPILER_ANNOUNCES_COROUTINES)
  endblock()
  if(NOT FAIRLEAD_ASIO_FINDS_COROUTINES)
    list(APPEND fairlead_coroutine_definitions ASIO_HAS_CO_AWAIT=1 ASIO_HAS_STD_COROUTINE=1)
  endif()
  if(NOT FAIRLEAD_COMPILER_ANNOUNCES_COROUTINES)
    list(APPEND fairlead_coroutine_definitions __cpp_impl_coroutine=201902L)
  endif()
endif()
if(TARGET fairlead_asio)
  target_compile_definitions(fairlead_asio PUBLIC ${fairlead_coroutine_definitions})
endif()
