# SPDX-License-Identifier: Apache-2.0
# Several sources in one translation unit: a build from nothing takes a third of the time. Names of anonymous namespaces must differ
# within a module then. Tools that look at single files (the preset lint) need it off.
option(MCV_UNITY "Compile modules as unity builds" ON)

# Compiler flags and the mcv_module() helper every folder under src/ uses.

find_program(MCV_LLD ld.lld)
if(MCV_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# ccache hits with GCC's precompiled headers only when it may look past them and the compiler names them in what it preprocesses.
# A build from nothing is slower with it: for who builds again and again (-DMCV_CCACHE=ON).
option(MCV_CCACHE "Compile through ccache" OFF)
if(MCV_CCACHE)
  find_program(MCV_CCACHE_PROGRAM ccache REQUIRED)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${MCV_CCACHE_PROGRAM})
  add_compile_options($<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-fpch-preprocess>)
endif()

# In unity builds files are neighbours that never see each other; clang warns of one's names in another's. Left out rather than taken
# back: what a target says itself comes before what it is given here. The lint tree, which has none, looks for real shadows.
set(shadow_option -Wshadow)
if(MCV_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(shadow_option)
endif()

add_library(mcv_flags INTERFACE)
target_compile_options(mcv_flags INTERFACE
  -Wall -Wextra -Wpedantic ${shadow_option} -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -fvisibility=hidden -fstack-protector-strong)
target_compile_definitions(mcv_flags INTERFACE
  # GCC 12 reports a false -Wmismatched-new-delete on recycled coroutine frames, and ASan sees frames exactly without it.
  BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
  BOOST_ASIO_NO_DEPRECATED
  SPDLOG_FMT_EXTERNAL)
target_include_directories(mcv_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)

if(MCV_SANITIZE)
  target_compile_options(mcv_flags INTERFACE -fsanitize=${MCV_SANITIZE} -fno-omit-frame-pointer)
  # Instrumented code makes GCC 12 report members of standard containers as uninitialized or out of bounds; clang has no such options.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(mcv_flags INTERFACE -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-restrict)
  elseif(MCV_SANITIZE MATCHES "undefined")
    # clang 14 cannot write what this one puts before a function when that is a coroutine ("a difference across sections").
    target_compile_options(mcv_flags INTERFACE -fno-sanitize=function)
  endif()
  add_link_options(-fsanitize=${MCV_SANITIZE})
  if(MCV_SANITIZE MATCHES "undefined")
    # A third of the time to compile went into checks whose findings AddressSanitizer or the processor shows as well.
    target_compile_options(mcv_flags INTERFACE -fno-sanitize=null,alignment,vptr,object-size,returns-nonnull-attribute,nonnull-attribute)
  endif()
  if(MCV_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences accompany locks that ThreadSanitizer does see.
    target_compile_options(mcv_flags INTERFACE -Wno-tsan)
  endif()
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_definitions(mcv_flags INTERFACE _FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro -Wl,-z,now)
endif()

# mcv_module(NAME SOURCES ... LINKS ...): one folder, one static library. LINKS is the complete list of
# modules this one may use; a missing line does not link, tests/lint/layers.py checks the includes as well.
function(mcv_module name)
  cmake_parse_arguments(arg "ASIO" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC mcv_flags ${arg_LINKS})
  if(MCV_UNITY)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    # A coroutine's frame is a type of its function, also when that is in an anonymous namespace.
    target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
  if(arg_ASIO)
    target_precompile_headers(${name} REUSE_FROM mcv_pch)
  endif()
endfunction()
