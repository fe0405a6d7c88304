# Asio 1.22 knows the coroutines of Clang only from libc++'s old header, and Clang 14 itself does not announce what it
# has. Both are then told, in every unit that uses fairlead: the macros change Asio's configuration. Asked anew by each
# project that finds an installed fairlead, whose compiler may be another.
include(CheckCXXSourceCompiles)

# fairlead_find_coroutine_definitions(RESULT ASIO_TARGET)
function(fairlead_find_coroutine_definitions result asio_target)
  set(definitions)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    get_target_property(asio_includes ${asio_target} INTERFACE_INCLUDE_DIRECTORIES)
    if(asio_includes)
      set(CMAKE_REQUIRED_INCLUDES ${asio_includes})
    endif()
    set(CMAKE_REQUIRED_FLAGS -std=c++20)
    set(CMAKE_REQUIRED_DEFINITIONS -DASIO_STANDALONE)
    set(CMAKE_REQUIRED_QUIET TRUE)
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
    if(NOT FAIRLEAD_ASIO_FINDS_COROUTINES)
      list(APPEND definitions ASIO_HAS_CO_AWAIT=1 ASIO_HAS_STD_COROUTINE=1)
    endif()
    if(NOT FAIRLEAD_COMPILER_ANNOUNCES_COROUTINES)
      list(APPEND definitions __cpp_impl_coroutine=201902L)
    endif()
  endif()
  set(${result} ${definitions} PARENT_SCOPE)
endfunction()
