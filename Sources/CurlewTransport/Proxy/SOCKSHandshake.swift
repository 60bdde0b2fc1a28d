import NIOCore

/// The handshake with a SOCKS 5 proxy (RFC 1928), with a user name and password (RFC 1929) if there are any.
///
/// Lives until the proxy has connected to the destination.
struct SOCKSHandshake: Sendable {
    /// Where the proxy connects to.
    enum Destination: Equatable, Sendable {
        /// The proxy resolves the name, which has at most 255 bytes.
        case name(String)
        /// Four bytes of IPv4 or sixteen of IPv6.
        case address([UInt8])
    }

    private enum State {
        case offeredMethods
        case sentLogin
        case sentRequest
        case over
    }

    private let destination: Destination
    private let port: UInt16
    private let login: (username: String, password: String)?
    private var state = State.offeredMethods

    private static let version: UInt8 = 5
    private static let loginVersion: UInt8 = 1
    private static let noAuthentication: UInt8 = 0
    private static let usernameAndPassword: UInt8 = 2
    private static let connect: UInt8 = 1

    init(_ destination: Destination, port: UInt16, login: (username: String, password: String)?) {
        self.destination = destination
        self.port = port
        self.login = login
    }

    /// The first bytes to send: the methods of authentication.
    var greeting: [UInt8] {
        let methods = [Self.noAuthentication] + (self.login == nil ? [] : [Self.usernameAndPassword])
        return [Self.version, UInt8(methods.count)] + methods
    }

    /// What follows from the proxy's bytes.
    enum Received: Equatable, Sendable {
        /// More bytes are needed.
        case wait
        /// Send these bytes.
        case send([UInt8])
        /// The proxy is connected to the destination.
        case connected
        /// The handshake has failed.
        case failed(Failure)
    }

    /// Why a handshake fails.
    enum Failure: Equatable, Sendable {
        /// The answer is not one of SOCKS 5.
        case notSOCKS
        /// The proxy demands a method of authentication that the client did not offer.
        case authenticationRequired
        /// User name or password is wrong.
        case loginRefused
        /// The proxy could not connect, with the code of its reply.
        case reply(UInt8)
    }

    /// Takes bytes that the proxy has sent.
    mutating func received(_ bytes: inout ByteBuffer) -> Received {
        switch self.state {
        case .offeredMethods: self.receivedMethod(&bytes)
        case .sentLogin: self.receivedLoginStatus(&bytes)
        case .sentRequest: self.receivedReply(&bytes)
        case .over: .wait
        }
    }

    private mutating func receivedMethod(_ bytes: inout ByteBuffer) -> Received {
        guard bytes.readableBytesView.first ?? Self.version == Self.version else { return self.fail(.notSOCKS) }
        guard let answer = bytes.readBytes(length: 2) else { return .wait }
        switch (answer[1], self.login) {
        case (Self.noAuthentication, _): return self.request()
        case (Self.usernameAndPassword, let login?):
            self.state = .sentLogin
            return .send([Self.loginVersion] + Self.field(login.username) + Self.field(login.password))
        default: return self.fail(.authenticationRequired)
        }
    }

    private mutating func receivedLoginStatus(_ bytes: inout ByteBuffer) -> Received {
        guard let answer = bytes.readBytes(length: 2) else { return .wait }
        return answer[1] == 0 ? self.request() : self.fail(.loginRefused)
    }

    private mutating func request() -> Received {
        self.state = .sentRequest
        let address: [UInt8] =
            switch self.destination {
            case .name(let name): [3] + Self.field(name)
            case .address(let bytes): [bytes.count == 4 ? 1 : 4] + bytes
            }
        return .send(
            [Self.version, Self.connect, 0] + address + [UInt8(self.port >> 8), UInt8(truncatingIfNeeded: self.port)])
    }

    private mutating func receivedReply(_ bytes: inout ByteBuffer) -> Received {
        let view = bytes.readableBytesView
        guard view.count >= 5 else { return .wait }
        let head = Array(view.prefix(5))
        guard head[0] == Self.version else { return self.fail(.notSOCKS) }
        guard head[1] == 0 else { return self.fail(.reply(head[1])) }
        // The address that the proxy is bound to, which nobody needs.
        let length: Int
        switch head[3] {
        case 1: length = 4
        case 3: length = 1 + Int(head[4])
        case 4: length = 16
        default: return self.fail(.notSOCKS)
        }
        guard bytes.readBytes(length: 4 + length + 2) != nil else { return .wait }
        self.state = .over
        return .connected
    }

    private mutating func fail(_ failure: Failure) -> Received {
        self.state = .over
        return .failed(failure)
    }

    /// A length in one byte, and so many bytes.
    private static func field(_ text: String) -> [UInt8] {
        let bytes = text.utf8.prefix(255)
        return [UInt8(bytes.count)] + bytes
    }
}

extension SOCKSHandshake.Failure {
    /// One sentence for people.
    func error(of proxy: ProxySettings, connectingTo endpoint: Endpoint) -> TransportError {
        let proxy = "The proxy \(proxy.address)"
        return switch self {
        case .notSOCKS:
            TransportError(
                .proxyFailed, "\(proxy) does not speak SOCKS 5; check its port, and whether it is an HTTP proxy.")
        case .authenticationRequired:
            TransportError(
                .proxyFailed,
                "\(proxy) requires a user name and a password; add them to its URL, as in socks5h://user:password@host."
            )
        case .loginRefused:
            TransportError(.proxyFailed, "\(proxy) rejected the user name or the password for the proxy; check both.")
        case .reply(2): TransportError(.proxyFailed, "\(proxy) does not permit connections to \(endpoint).")
        case .reply(3), .reply(4):
            TransportError(.hostUnreachable, "\(proxy) could not reach \(endpoint); check host and port.")
        case .reply(5):
            TransportError(
                .connectionRefused,
                "\(proxy) reached \(endpoint), which refused the connection; is the broker running, and is the port right?"
            )
        case .reply(8):
            TransportError(.proxyFailed, "\(proxy) does not support the address of \(endpoint); try socks5h://.")
        case .reply(let code):
            TransportError(.proxyFailed, "\(proxy) could not connect to \(endpoint) (SOCKS reply \(code)).")
        }
    }
}
