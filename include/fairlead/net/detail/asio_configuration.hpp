#ifndef FAIRLEAD_NET_DETAIL_ASIO_CONFIGURATION_HPP
#define FAIRLEAD_NET_DETAIL_ASIO_CONFIGURATION_HPP

#include <fairlead/config.hpp>

// Before Asio: whether its configuration knows std::aligned_alloc depends on whether a header of the standard
// library was read first, and units that differ there free what the other has allocated.
#include <cstddef>

#include <asio/buffer.hpp>
#include <asio/detail/config.hpp>
#include <asio/detail/thread_info_base.hpp>
#include <asio/version.hpp>

// Makes one program with two configurations of Asio a link error. Each unit refers to a symbol whose name
// spells the version of Asio and the macros that change Asio's layouts, or what its units leave to each other
// (docs/design/packaging.md has the list); what is as usual is not spelled. The symbol is defined for one
// configuration alone (asio_configuration.ipp). Included by every header that includes Asio.

#if defined(ASIO_HEADER_ONLY)
#define FAIRLEAD_ASIO_LIBRARY _header_only
#else
#define FAIRLEAD_ASIO_LIBRARY _separate_compilation
#endif

#if defined(ASIO_STANDALONE)
#define FAIRLEAD_ASIO_BOOST
#else
#define FAIRLEAD_ASIO_BOOST _boost
#endif

#if defined(ASIO_HAS_THREADS)
#define FAIRLEAD_ASIO_THREADS
#else
#define FAIRLEAD_ASIO_THREADS _no_threads
#endif

#if defined(ASIO_HAS_IO_URING_AS_DEFAULT)
#define FAIRLEAD_ASIO_REACTOR _io_uring_as_default
#elif defined(ASIO_HAS_IO_URING)
#define FAIRLEAD_ASIO_REACTOR _io_uring
#elif defined(ASIO_HAS_EPOLL)
#define FAIRLEAD_ASIO_REACTOR
#else
#define FAIRLEAD_ASIO_REACTOR _no_epoll
#endif

#if defined(ASIO_HAS_EVENTFD)
#define FAIRLEAD_ASIO_EVENTFD
#else
#define FAIRLEAD_ASIO_EVENTFD _no_eventfd
#endif

#if defined(ASIO_HAS_TIMERFD)
#define FAIRLEAD_ASIO_TIMERFD
#else
#define FAIRLEAD_ASIO_TIMERFD _no_timerfd
#endif

#if defined(ASIO_CUSTOM_HANDLER_TRACKING)
#define FAIRLEAD_ASIO_TRACKING _custom_handler_tracking
#elif defined(ASIO_ENABLE_HANDLER_TRACKING)
#define FAIRLEAD_ASIO_TRACKING _handler_tracking
#else
#define FAIRLEAD_ASIO_TRACKING
#endif

#if defined(ASIO_ENABLE_BUFFER_DEBUGGING)
#define FAIRLEAD_ASIO_BUFFERS _buffer_debugging
#else
#define FAIRLEAD_ASIO_BUFFERS
#endif

#if defined(ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
#define FAIRLEAD_ASIO_EXECUTORS _ts_executor_as_default
#elif defined(ASIO_NO_TS_EXECUTORS)
#define FAIRLEAD_ASIO_EXECUTORS _no_ts_executors
#else
#define FAIRLEAD_ASIO_EXECUTORS
#endif

#if defined(ASIO_NO_EXCEPTIONS)
#define FAIRLEAD_ASIO_EXCEPTIONS _no_exceptions
#else
#define FAIRLEAD_ASIO_EXCEPTIONS
#endif

#if defined(ASIO_NO_TYPEID)
#define FAIRLEAD_ASIO_TYPEID _no_typeid
#else
#define FAIRLEAD_ASIO_TYPEID
#endif

#if defined(ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
#define FAIRLEAD_ASIO_RECYCLING _no_small_block_recycling
#else
#define FAIRLEAD_ASIO_RECYCLING
#endif

// In a compiled Asio it decides what asio_handler_allocate() returns, which no mangled name tells.
#if defined(ASIO_NO_DEPRECATED) && !defined(ASIO_HEADER_ONLY)
#define FAIRLEAD_ASIO_DEPRECATED _no_deprecated
#else
#define FAIRLEAD_ASIO_DEPRECATED
#endif

#if ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE != 2
#define FAIRLEAD_ASIO_CACHE _recycling_cache_size_
#define FAIRLEAD_ASIO_CACHE_SIZE ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE
#else
#define FAIRLEAD_ASIO_CACHE
#define FAIRLEAD_ASIO_CACHE_SIZE
#endif

#if defined(ASIO_STRAND_IMPLEMENTATIONS)
#define FAIRLEAD_ASIO_STRANDS _strand_implementations_
#define FAIRLEAD_ASIO_STRAND_COUNT ASIO_STRAND_IMPLEMENTATIONS
#else
#define FAIRLEAD_ASIO_STRANDS
#define FAIRLEAD_ASIO_STRAND_COUNT
#endif

#define FAIRLEAD_ASIO_JOIN(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s) \
  a##b##c##d##e##f##g##h##i##j##k##l##m##n##o##p##q##r##s
#define FAIRLEAD_ASIO_SYMBOL(...) FAIRLEAD_ASIO_JOIN(__VA_ARGS__)
#define FAIRLEAD_ASIO_CONFIGURATION                                                              \
  FAIRLEAD_ASIO_SYMBOL(fairlead_asio_, ASIO_VERSION, FAIRLEAD_ASIO_LIBRARY, FAIRLEAD_ASIO_BOOST, \
                       FAIRLEAD_ASIO_THREADS, FAIRLEAD_ASIO_REACTOR, FAIRLEAD_ASIO_EVENTFD,      \
                       FAIRLEAD_ASIO_TIMERFD, FAIRLEAD_ASIO_TRACKING, FAIRLEAD_ASIO_BUFFERS,     \
                       FAIRLEAD_ASIO_EXECUTORS, FAIRLEAD_ASIO_EXCEPTIONS, FAIRLEAD_ASIO_TYPEID,  \
                       FAIRLEAD_ASIO_RECYCLING, FAIRLEAD_ASIO_DEPRECATED, FAIRLEAD_ASIO_CACHE,   \
                       FAIRLEAD_ASIO_CACHE_SIZE, FAIRLEAD_ASIO_STRANDS, FAIRLEAD_ASIO_STRAND_COUNT)

extern "C" [[gnu::visibility("default")]] const char FAIRLEAD_ASIO_CONFIGURATION;

namespace fairlead::inline FAIRLEAD_ABI::detail {

// One pointer a unit, never read: kept for the linker, past any optimization and --gc-sections.
[[gnu::used, gnu::retain]] static const char* const asio_configuration = &FAIRLEAD_ASIO_CONFIGURATION;

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/impl/asio_configuration.ipp>
#endif

#endif
