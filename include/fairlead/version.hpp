#ifndef FAIRLEAD_VERSION_HPP
#define FAIRLEAD_VERSION_HPP

/// The version of these headers; CMakeLists.txt reads it from here.
#define FAIRLEAD_VERSION_MAJOR 0
#define FAIRLEAD_VERSION_MINOR 1
#define FAIRLEAD_VERSION_PATCH 0

#endif
