// SPDX-License-Identifier: Apache-2.0

import Glibc

// The Linux calls that the Glibc module map leaves out. They take integers and pointers only, so that C and
// Swift call them alike. Everything the rest of this target may know of them is in this file and `Epoll`.

@_silgen_name("epoll_create1")
func linuxEpollCreate(_ flags: Int32) -> Int32

@_silgen_name("epoll_ctl")
func linuxEpollControl(
    _ epoll: Int32, _ operation: Int32, _ file: Int32, _ event: UnsafeMutableRawPointer?
) -> Int32

@_silgen_name("epoll_wait")
func linuxEpollWait(_ epoll: Int32, _ events: UnsafeMutableRawPointer, _ count: Int32, _ milliseconds: Int32) -> Int32

@_silgen_name("ppoll")
func linuxPoll(
    _ files: UnsafeMutablePointer<pollfd>, _ count: UInt, _ timeout: UnsafePointer<timespec>?,
    _ signals: UnsafeRawPointer?
) -> Int32

@_silgen_name("eventfd")
func linuxEventFile(_ value: UInt32, _ flags: Int32) -> Int32
