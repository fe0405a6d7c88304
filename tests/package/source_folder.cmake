# WAY add_subdirectory or FetchContent, which finds the sources without a network.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

if(NOT NAME)
  set(NAME "${WAY}")
endif()
make_fresh_folder(build "${NAME}")
consume("${build}" "-DWAY=${WAY}" "-DTARGET=${TARGET}" -DCMAKE_BUILD_TYPE=Release
  "-DFAIRLEAD_SOURCE=${PROJECT_SOURCE}" "-DFETCHCONTENT_SOURCE_DIR_FAIRLEAD=${PROJECT_SOURCE}")
