/// What a listener for WebSocket accepts.
package struct WebSocketServerSettings: Sendable {
    /// The paths at which there is a WebSocket; empty for every path.
    package var paths: Set<String> = []
    /// Which pages may connect.
    package var origins: WebSocketOrigins = .automatic
    /// The folder whose files are the answers to requests that open no WebSocket; `nil` for a short text.
    package var folder: StaticFolder?
    /// Decides about requests that are acceptable otherwise: returns why one is refused, for the operator; `nil` if it
    /// is accepted.
    package var refusal: (@Sendable (_ target: String, _ host: String) -> String?)?
    /// The maximum size of a request's header in bytes.
    package var maximumHeaderSize = 16 << 10
    /// The maximum size of a received frame in bytes.
    package var maximumFrameSize = 1 << 20

    package init() {}
}
