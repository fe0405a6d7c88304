# Builds the example FOLDER alone, copied out of the project.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

cmake_path(GET FOLDER FILENAME name)
make_fresh_folder(copy "example-${name}")
file(COPY "${FOLDER}" DESTINATION "${copy}")
run(${configure} -S "${copy}/${name}" -B "${copy}/build" "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
run("${CMAKE_COMMAND}" --build "${copy}/build" -j 1)
