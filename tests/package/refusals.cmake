# What find_package(fairlead) refuses, and the reason it gives.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

function(refuse words prefix)
  make_fresh_folder(build refused)
  run_refused("${words}" ${configure} -S "${here}/consumer" -B "${build}" -DWAY=find_package -DTARGET=fairlead::fairlead
    "-DCMAKE_PREFIX_PATH=${WORK}/${prefix}" ${ARGN})
endfunction()

refuse("fairlead 0\\.1\\.[0-9]+ has no component 'carrier_pigeon'" prefix -DCOMPONENTS=carrier_pigeon)
refuse("not accepted;version: 0\\.1\\." prefix -DVERSION=0.2)
refuse("not accepted;version: 0\\.1\\." prefix -DVERSION=0.0)
refuse("Asio from the target 'users_asio', which does not exist" prefix-users_asio)
refuse("fairlead needs simdjson 3.0, which was not found" prefix -DCMAKE_DISABLE_FIND_PACKAGE_simdjson=ON)
if(LIBDEFLATE)
  refuse("fairlead needs Libdeflate 1.14, which was not found" prefix -DCMAKE_DISABLE_FIND_PACKAGE_Libdeflate=ON)
endif()
