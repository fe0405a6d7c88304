#ifndef FAIRLEAD_TESTING_FAULT_LINK_HPP
#define FAIRLEAD_TESTING_FAULT_LINK_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link.hpp>
#include <fairlead/testing/fault_plan.hpp>

#include <asio/io_context.hpp>

#include <memory>

namespace fairlead::inline FAIRLEAD_ABI {

/// A link that passes everything on to another one, counts it, and lets go wrong what the plan says. With an empty
/// plan, its sink cannot tell it from the link within.
///
/// \param context  Whose thread the links live on, one thread. It delivers what was held back, and its clock measures
///                 how long a stall lasts: a virtual_clock, if there is one.
/// \param inner    Any link, not started yet. Closed with the new one.
/// \param plan     May be shared by several links; they count together.
inline link_ptr make_fault_link(asio::io_context& context, link_ptr inner, std::shared_ptr<fault_plan> plan);

}  // namespace fairlead

#include <fairlead/testing/impl/fault_link.hpp>

#endif
