# What `cmake --install` copies. Nothing of it knows where it was built or installed, so the tree can be moved.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(fairlead_targets fairlead fairlead_header_only fairlead_testing)
set_target_properties(fairlead PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set_target_properties(fairlead_header_only PROPERTIES EXPORT_NAME header_only)
set_target_properties(fairlead_testing PROPERTIES EXPORT_NAME testing)
if(TARGET fairlead_asio)
  list(APPEND fairlead_targets fairlead_asio)
  set_target_properties(fairlead_asio PROPERTIES EXPORT_NAME asio
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endif()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.ipp")
install(TARGETS ${fairlead_targets} EXPORT fairleadTargets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")

# find_package(fairlead)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/fairlead")
set(fairlead_asio_dependency "\"Asio 1.22\"")
if(NOT FAIRLEAD_ASIO MATCHES "^(header_only|compiled)$")
  set(fairlead_asio_dependency "")
endif()
set(fairlead_libdeflate_dependency "")
if(fairlead_libdeflate)
  set(fairlead_libdeflate_dependency "\"Libdeflate 1.14\"")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/fairleadConfig.cmake.in" "${PROJECT_BINARY_DIR}/package/fairleadConfig.cmake" @ONLY)
# Until 1.0 a minor version may break what was.
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
endif()
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/fairleadConfigVersion.cmake" COMPATIBILITY ${compatibility})
install(EXPORT fairleadTargets NAMESPACE fairlead:: DESTINATION "${package_dir}")
install(FILES
  "${PROJECT_BINARY_DIR}/package/fairleadConfig.cmake"
  "${PROJECT_BINARY_DIR}/package/fairleadConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FairleadCoroutines.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindAsio.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindLibdeflate.cmake"
  DESTINATION "${package_dir}")

# pkg-config fairlead. None with a user's target for Asio: what that is, a .pc file cannot say.
if(fairlead_asio_dependency)
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pc_libdir)
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pc_includedir)
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
  if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
    string(REGEX REPLACE "/$" "" up "${up}")
    set(pc_prefix "\${pcfiledir}/${up}")
  endif()
  set(pc_libs -lfairlead)
  if(TARGET fairlead_asio)
    string(APPEND pc_libs " -lfairlead_asio")
  endif()
  get_target_property(library_type fairlead TYPE)
  set(pc_requires "Requires")
  if(library_type STREQUAL "SHARED_LIBRARY")
    set(pc_requires "Requires.private")
  endif()
  set(pc_libdeflate "")
  if(fairlead_libdeflate)
    set(pc_libdeflate ", libdeflate >= 1.14")
  endif()
  # Every macro that a user of the CMake target gets; Asio's folder only when the compiler does not look there anyway.
  set(definitions "$<TARGET_PROPERTY:fairlead,INTERFACE_COMPILE_DEFINITIONS>")
  set(pc_flags "$<$<BOOL:${definitions}>:-D$<JOIN:$<REMOVE_DUPLICATES:${definitions}>, -D>>")
  if(NOT Asio_INCLUDE_DIR IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    string(APPEND pc_flags " -I${Asio_INCLUDE_DIR}")
  endif()
  configure_file("${PROJECT_SOURCE_DIR}/cmake/fairlead.pc.in" "${PROJECT_BINARY_DIR}/package/fairlead.pc.in" @ONLY)
  file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/package/$<CONFIG>/fairlead.pc" INPUT "${PROJECT_BINARY_DIR}/package/fairlead.pc.in")
  install(FILES "${PROJECT_BINARY_DIR}/package/$<CONFIG>/fairlead.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()
