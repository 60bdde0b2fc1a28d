/// Settings for connecting over WebSocket (MQTT 5.0 section 6).
public struct WebSocketSettings: Sendable {
    /// Header fields of the request, for example cookies or an `Authorization`. Default: none.
    ///
    /// ```swift
    /// configuration.webSocket.headers = [.bearerAuthorization(token), .init(name: "Cookie", value: "session=1")]
    /// ```
    public var headers: [Header] = []
    /// Called before each attempt to connect, to change the request, for example to add a fresh token or a signature.
    /// If it throws, the attempt fails with that error, or with another one whose cause it is if it is no
    /// ``TransportError``, and the client tries again later. It counts towards the time limit of connecting, after which
    /// its task is cancelled. Default: none.
    public var prepareRequest: (@Sendable (inout Request) async throws -> Void)?
    /// Signs the request after ``prepareRequest``.
    package var signRequest: (@Sendable (inout Request) async throws -> Void)?
    /// The maximum size of a received frame in bytes. The connection ends with the error `connectionClosed` if a frame
    /// is larger. Default: 268,435,460, the size of the largest MQTT packet.
    public var maximumFrameSize = 268_435_460

    /// Creates settings with the defaults.
    public init() {}

    /// The subprotocol to ask for [MQTT-6.0.0-3].
    package var subprotocol = "mqtt"
}
