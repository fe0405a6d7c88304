# find_package(fairlead) in PREFIX, and a link to TARGET.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

make_fresh_folder(build "${NAME}")
consume("${build}" -DWAY=find_package -DVERSION=0.1 "-DTARGET=${TARGET}" "-DASIO_TARGET=${ASIO_TARGET}"
  "-DCMAKE_PREFIX_PATH=${WORK}/${PREFIX}")
