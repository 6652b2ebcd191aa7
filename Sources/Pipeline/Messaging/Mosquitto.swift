// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// libmosquitto (MQTT 3.1.1 and 5), opened when first needed: a program that sends no messages runs without it.
///
/// Eclipse Mosquitto 2.0, EPL-2.0 or BSD-3-Clause. The declarations are those of its `mosquitto.h`.
/// - Note: Thread-safety: an immutable table; the library itself wants one thread a client. Never closed.
struct Mosquitto: @unchecked Sendable {
    // Unchecked: addresses of code, never changed and never unloaded.
    static let soname = "libmosquitto.so.1"

    typealias Client = OpaquePointer
    typealias Notice = @convention(c) (Client?, UnsafeMutableRawPointer?, Int32) -> Void
    typealias Receipt = @convention(c) (Client?, UnsafeMutableRawPointer?, UnsafeRawPointer?) -> Void

    /// `struct mosquitto_message`, which `Receipt` is given a pointer to.
    struct ReceivedMessage {
        var mid: Int32
        var topic: UnsafeMutablePointer<CChar>?
        var payload: UnsafeMutableRawPointer?
        var length: Int32
        var qos: Int32
        var isRetained: Bool
    }

    let new: @convention(c) (UnsafePointer<CChar>?, Bool, UnsafeMutableRawPointer?) -> Client?
    let destroy: @convention(c) (Client?) -> Void
    let setLogin: @convention(c) (Client?, UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Int32
    let setWill: @convention(c) (Client?, UnsafePointer<CChar>?, Int32, UnsafeRawPointer?, Int32, Bool) -> Int32
    let setOption: @convention(c) (Client?, Int32, Int32) -> Int32
    let setTLS:
        @convention(c) (
            Client?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?,
            UnsafeRawPointer?
        ) -> Int32
    let connect: @convention(c) (Client?, UnsafePointer<CChar>?, Int32, Int32) -> Int32
    let disconnect: @convention(c) (Client?) -> Int32
    let publish:
        @convention(c) (
            Client?, UnsafeMutablePointer<Int32>?, UnsafePointer<CChar>?, Int32, UnsafeRawPointer?, Int32, Bool
        ) -> Int32
    let subscribe: @convention(c) (Client?, UnsafeMutablePointer<Int32>?, UnsafePointer<CChar>?, Int32) -> Int32
    let socket: @convention(c) (Client?) -> Int32
    let read: @convention(c) (Client?, Int32) -> Int32
    let write: @convention(c) (Client?, Int32) -> Int32
    let upkeep: @convention(c) (Client?) -> Int32
    let wantsWrite: @convention(c) (Client?) -> Bool
    let onConnect: @convention(c) (Client?, Notice?) -> Void
    let onDisconnect: @convention(c) (Client?, Notice?) -> Void
    let onPublish: @convention(c) (Client?, Notice?) -> Void
    let onMessage: @convention(c) (Client?, Receipt?) -> Void
    let errorText: @convention(c) (Int32) -> UnsafePointer<CChar>?
    let refusalText: @convention(c) (Int32) -> UnsafePointer<CChar>?

    /// Opens the library.
    ///
    /// - Throws: `OutputError` that names the package.
    init() throws {
        guard let library = dlopen(Self.soname, RTLD_NOW | RTLD_LOCAL) else {
            throw OutputError(
                "libmosquitto is not installed, which \"mqtt\" sends messages with: apt-get install libmosquitto1")
        }
        func symbol<Function>(_ name: String) throws -> Function {
            guard let address = dlsym(library, name) else {
                throw OutputError("\(Self.soname) has no \(name): version 2.0 is needed (Debian's libmosquitto1)")
            }
            return unsafeBitCast(address, to: Function.self)
        }
        new = try symbol("mosquitto_new")
        destroy = try symbol("mosquitto_destroy")
        setLogin = try symbol("mosquitto_username_pw_set")
        setWill = try symbol("mosquitto_will_set")
        setOption = try symbol("mosquitto_int_option")
        setTLS = try symbol("mosquitto_tls_set")
        connect = try symbol("mosquitto_connect")
        disconnect = try symbol("mosquitto_disconnect")
        publish = try symbol("mosquitto_publish")
        subscribe = try symbol("mosquitto_subscribe")
        socket = try symbol("mosquitto_socket")
        read = try symbol("mosquitto_loop_read")
        write = try symbol("mosquitto_loop_write")
        upkeep = try symbol("mosquitto_loop_misc")
        wantsWrite = try symbol("mosquitto_want_write")
        onConnect = try symbol("mosquitto_connect_callback_set")
        onDisconnect = try symbol("mosquitto_disconnect_callback_set")
        onPublish = try symbol("mosquitto_publish_callback_set")
        onMessage = try symbol("mosquitto_message_callback_set")
        errorText = try symbol("mosquitto_strerror")
        refusalText = try symbol("mosquitto_connack_string")
        let start: @convention(c) () -> Int32 = try symbol("mosquitto_lib_init")
        _ = start()
    }
}
