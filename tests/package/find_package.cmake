# find_package(fairlead) in PREFIX, and a link to TARGET; without the package MISSING.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

make_fresh_folder(build "${NAME}")
set(missing "")
if(MISSING)
  set(missing "-DCMAKE_DISABLE_FIND_PACKAGE_${MISSING}=ON")
endif()
consume("${build}" -DWAY=find_package -DVERSION=0.1 "-DCOMPONENTS=${COMPONENTS}" "-DTARGET=${TARGET}" "-DASIO_TARGET=${ASIO_TARGET}" ${missing}
  "-DCMAKE_PREFIX_PATH=${WORK}/${PREFIX}")
