# What every target of ours is built with:
#   eclip_options      C++17, warnings as errors, hidden symbols, our include folder, sanitizers if asked for
#   eclip_flatbuffers  the FlatBuffers headers and nothing else of the host
find_package(Threads REQUIRED)

add_library(eclip_options INTERFACE)
target_include_directories(eclip_options INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/include)
target_compile_options(eclip_options INTERFACE -Wall -Wextra -Wpedantic -Werror -fvisibility=hidden
                                               $<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden>)
target_link_libraries(eclip_options INTERFACE Threads::Threads)
if(ECLIP_SANITIZE)
  # The check of vptrs needs RTTI, which the interposer does without.
  target_compile_options(eclip_options INTERFACE -fsanitize=${ECLIP_SANITIZE} -fno-sanitize=vptr
                                                 -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g)
  target_link_options(eclip_options INTERFACE -fsanitize=${ECLIP_SANITIZE})
endif()

# A link to the one folder: adding all of /usr/include would mix the host's glibc headers with those of zig's target.
eclip_need_header(ECLIP_FLATBUFFERS_ROOT flatbuffers/flatbuffers.h libflatbuffers-dev)
set(eclip_flatbuffers_include ${CMAKE_BINARY_DIR}/include-flatbuffers)
file(MAKE_DIRECTORY ${eclip_flatbuffers_include})
file(CREATE_LINK ${ECLIP_FLATBUFFERS_ROOT}/flatbuffers ${eclip_flatbuffers_include}/flatbuffers SYMBOLIC)
add_library(eclip_flatbuffers INTERFACE)
target_include_directories(eclip_flatbuffers SYSTEM INTERFACE ${eclip_flatbuffers_include})

# A library of the wheel: exports what its version script lists, keeps no reference to libstdc++.
#   eclip_runtime_library(eclip_hip SOURCES a.cpp b.cpp EXPORTS hooks.map)
function(eclip_runtime_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "EXPORTS" "SOURCES")
  add_library(${name} SHARED ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE eclip_options)
  target_link_options(${name} PRIVATE -Wl,-z,relro -Wl,-z,now)
  if(NOT ECLIP_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
  if(arg_EXPORTS)
    get_filename_component(map ${arg_EXPORTS} ABSOLUTE)
    target_link_options(${name} PRIVATE -Wl,--version-script=${map})
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${map})
  endif()
  # The testbed builds these too, for tests of their parts; what is installed is built for an old glibc.
  if(ECLIP_SANITIZE OR NOT ECLIP_TESTBED)
    install(TARGETS ${name} LIBRARY DESTINATION eclip/native COMPONENT libraries)
  endif()
endfunction()
