# tenantd: one non-recursive makefile. `make help` lists what it does.
#
# Knobs:  DESTDIR=   prefix=/usr   V=1 (whole command lines)   DEV=1 (warnings are errors)   SANITIZE=address,undefined
#         CC=gcc|clang   BUILD=build   KEEP=1 (demo)   HARDENING=0
# Sources are found by folder: a new .c file in a folder below belongs to that folder's deliverable.

.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

VERSION     := 0.1.0
CC          := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
AR          := $(if $(filter default undefined,$(origin AR)),ar,$(AR))
PKG_CONFIG  ?= pkg-config
PYTHON      ?= /usr/bin/python3
BUILD       ?= build
prefix      ?= /usr
sysconfdir  ?= /etc
multiarch   := $(shell $(CC) -print-multiarch 2>/dev/null)
libdir      ?= $(prefix)/lib/$(multiarch)
pamdir      ?= $(libdir)/security
systemddir  ?= $(prefix)/lib/systemd/system
mandir      ?= $(prefix)/share/man
datadir     ?= $(prefix)/share

# One folder of objects for each way of building, so switching back and forth rebuilds nothing.
comma   := ,
empty   :=
space   := $(empty) $(empty)
VARIANT := $(notdir $(CC))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))$(if $(DEV),-dev)
O       := $(BUILD)/$(VARIANT)

include packaging/make/flags.mk
include packaging/make/sources.mk
include packaging/make/rules.mk
include packaging/make/checks.mk
include packaging/make/install.mk

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile packaging/make/*.mk
	@printf '\n  knobs: DESTDIR= prefix=/usr DEV=1 SANITIZE=address,undefined CC=clang KEEP=1 (demo)\n'
.PHONY: help
