# Stops with the name of the Debian package that would help.

function(eclip_need_program variable program package)
  find_program(${variable} ${program})
  if(NOT ${variable})
    message(FATAL_ERROR "The program '${program}' is not installed: apt-get install ${package}")
  endif()
endfunction()

# Sets `variable` to the folder that holds `header`.
function(eclip_need_header variable header package)
  find_path(${variable} ${header} PATHS /usr/include /usr/local/include NO_CMAKE_FIND_ROOT_PATH)
  if(NOT ${variable})
    message(FATAL_ERROR "The header <${header}> is not installed: apt-get install ${package}")
  endif()
endfunction()
