# Installs a build to PREFIX: the one that the tests belong to, or with OPTIONS one of its own.
include("${CMAKE_CURRENT_LIST_DIR}/support.cmake")

make_fresh_folder(prefix "${PREFIX}")
set(build "${PROJECT_BUILD}")
if(OPTIONS)
  separate_arguments(OPTIONS UNIX_COMMAND "${OPTIONS}")
  make_fresh_folder(build "${PREFIX}-build")
  run(${configure} -S "${PROJECT_SOURCE}" -B "${build}" -DCMAKE_BUILD_TYPE=Release -DFAIRLEAD_BUILD_TESTS=OFF
    -DFAIRLEAD_BUILD_EXAMPLES=OFF -DFAIRLEAD_BUILD_BENCHMARKS=OFF ${OPTIONS})
  run("${CMAKE_COMMAND}" --build "${build}" -j 1)
endif()
run("${CMAKE_COMMAND}" --install "${build}" --prefix "${prefix}")
