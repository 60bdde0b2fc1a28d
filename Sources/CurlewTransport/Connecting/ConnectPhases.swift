/// How far an attempt to connect has come. Lives as long as the attempt.
struct ConnectPhases: Equatable, Sendable {
    enum Phase: Equatable, Sendable {
        /// Nothing has happened yet.
        case new
        /// Sockets are being connected: several if the host has several addresses.
        case connecting
        /// The proxy has been asked to connect to the destination.
        case askingProxy
        /// The peer is connected; the handshakes of TLS and WebSocket follow, if any.
        case opening
        /// The link is open, or the attempt has failed.
        case over
    }

    private let usesProxy: Bool
    private(set) var phase = Phase.new

    init(usesProxy: Bool) { self.usesProxy = usesProxy }

    /// The attempt begins.
    ///
    /// - Returns: Whether to connect; `false` if the attempt was cancelled before.
    mutating func started() -> Bool {
        guard self.phase == .new else { return false }
        self.phase = .connecting
        return true
    }

    /// What to do with a connected socket.
    enum Connected: Equatable, Sendable {
        /// Ask the proxy to connect to the destination.
        case askProxy
        /// Open the link.
        case open
        /// Close the socket: the attempt is over.
        case close
    }

    /// A socket is connected.
    mutating func connected() -> Connected {
        guard self.phase == .connecting else { return .close }
        self.phase = self.usesProxy ? .askingProxy : .opening
        return self.usesProxy ? .askProxy : .open
    }

    /// The proxy has connected to the destination.
    ///
    /// - Returns: Whether to open the link; `false` if the attempt is over.
    mutating func proxyConnected() -> Bool {
        guard self.phase == .askingProxy else { return false }
        self.phase = .opening
        return true
    }

    /// The link is open, the attempt failed, was cancelled, or took too long.
    ///
    /// - Returns: Whether this is how the attempt ends; `false` if it was over before.
    mutating func ended() -> Bool {
        guard self.phase != .over else { return false }
        self.phase = .over
        return true
    }
}
