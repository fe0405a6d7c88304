#include "report.hpp"
namespace conformance {
std::string html_of(const std::vector<pass>&) { return {}; }
}
