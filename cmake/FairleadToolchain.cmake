# Warnings, sanitizers and ccache: for fairlead's own targets alone, never for a user's.

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
  endif()
  find_program(CCACHE_PROGRAM ccache)
  mark_as_advanced(CCACHE_PROGRAM)
  if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

function(fairlead_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
    $<$<BOOL:${FAIRLEAD_WERROR}>:-Werror>)
  fairlead_sanitize(${target})
endfunction()

function(fairlead_sanitize target)
  if(FAIRLEAD_SANITIZE)
    set(flags -fsanitize=${FAIRLEAD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    if(FAIRLEAD_SANITIZE MATCHES "undefined")
      # Its check of virtual tables opens a pipe, and calls every object invalid once there is no descriptor left, which
      # is what some tests are about.
      list(APPEND flags -fno-sanitize=vptr)
    endif()
    if(FAIRLEAD_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # Asio has fences, which this sanitizer does not follow; GCC warns of each.
      list(APPEND flags -Wno-tsan)
    endif()
    target_compile_options(${target} PRIVATE ${flags})
    target_link_options(${target} PRIVATE ${flags})
  endif()
endfunction()
