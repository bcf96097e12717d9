# SPDX-License-Identifier: Apache-2.0
# One Debian package, `mcv`. Programs are made by their own folders and installed here as far as they exist.
#   cmake --preset release && ninja -C build-release package
set(MCV_SYSTEMD_DIR lib/systemd/system)

if(TARGET mcvd)
  install(TARGETS mcvd RUNTIME DESTINATION sbin)
endif()
if(TARGET hvctl)
  install(TARGETS hvctl RUNTIME DESTINATION bin)
endif()
if(TARGET mcv-drbd-helper)
  install(TARGETS mcv-drbd-helper RUNTIME DESTINATION lib/mcv)
endif()

install(FILES config/systemd/mcvd.service config/systemd/mcv-leave.service config/systemd/mcv.slice config/systemd/mcv-verify.service config/systemd/mcv-verify.timer
        DESTINATION ${MCV_SYSTEMD_DIR})
install(FILES config/sysusers.d/mcv.conf DESTINATION lib/sysusers.d)
install(FILES config/tmpfiles.d/mcv.conf DESTINATION lib/tmpfiles.d)
install(FILES config/modules-load.d/mcv.conf DESTINATION lib/modules-load.d)
install(FILES config/modprobe.d/mcv.conf DESTINATION lib/modprobe.d)
install(FILES config/mcvd.toml DESTINATION /etc/mcv)
install(FILES config/openapi.json DESTINATION share/mcv OPTIONAL)
install(FILES packaging/debian/copyright packaging/debian/README.Debian DESTINATION share/doc/mcv)
install(FILES CHANGELOG.md docs/quick-start.md docs/operations.md docs/upgrade.md docs/failure-model.md DESTINATION share/doc/mcv)

install(FILES config/completion/hvctl.bash DESTINATION share/bash-completion/completions RENAME hvctl OPTIONAL)
install(FILES config/completion/_hvctl DESTINATION share/zsh/vendor-completions OPTIONAL)
foreach(section 1 5 7 8)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.${section})
  install(FILES ${pages} DESTINATION share/man/man${section})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mcv)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "mcv maintainers <mcv@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "two servers as one highly available virtual machine cluster")
set(CPACK_PACKAGE_DESCRIPTION
"mcvd runs on each of two servers, hvctl talks to either. Disks of virtual machines are DRBD volumes on LVM, guests
run in cloud-hypervisor or QEMU on KVM. No shared storage and no third machine is needed.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_PREFIX /usr)
# /etc is outside the prefix; without this it would be written on the machine that builds.
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Tools mcvd runs. systemd 252 for the unit's options, lvm2 2.03 for its JSON.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "systemd (>= 252), drbd-utils (>= 9.0), corosync (>= 3.0), lvm2 (>= 2.03), thin-provisioning-tools, qemu-system-x86, iproute2, kmod")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "openssh-client, bash-completion")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/debian/postinst ${PROJECT_SOURCE_DIR}/packaging/debian/prerm
  ${PROJECT_SOURCE_DIR}/packaging/debian/postrm ${PROJECT_SOURCE_DIR}/packaging/debian/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
