# Toolchain of the runtime libraries: clang from the `ziglang` package, with the headers and stubs of an old glibc, so
# that one build loads in every container image of the last ten years. Its C++ runtime is linked in.
set(ECLIP_ZIG_TARGET x86_64-linux-gnu.2.17)

if(NOT ECLIP_ZIG)
  foreach(python ${Python_EXECUTABLE} ${PYTHON_EXECUTABLE} python3)
    execute_process(
      COMMAND ${python} -c "import pathlib, ziglang; print(pathlib.Path(ziglang.__file__).parent / 'zig', end='')"
      OUTPUT_VARIABLE ECLIP_ZIG ERROR_QUIET RESULT_VARIABLE status)
    if(status EQUAL 0)
      break()
    endif()
    set(ECLIP_ZIG)
  endforeach()
endif()
if(NOT ECLIP_ZIG)
  message(FATAL_ERROR "No Python has the package 'ziglang': pip install ziglang, or set -DECLIP_ZIG=/path/to/zig")
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ECLIP_ZIG)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER ${ECLIP_ZIG} cc -target ${ECLIP_ZIG_TARGET})
set(CMAKE_CXX_COMPILER ${ECLIP_ZIG} c++ -target ${ECLIP_ZIG_TARGET})
# CMAKE_AR and CMAKE_RANLIB take no arguments, the rules do.
foreach(language C CXX)
  set(CMAKE_${language}_ARCHIVE_CREATE "${ECLIP_ZIG} ar qc <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_APPEND "${ECLIP_ZIG} ar q <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_FINISH "${ECLIP_ZIG} ranlib <TARGET>")
endforeach()
