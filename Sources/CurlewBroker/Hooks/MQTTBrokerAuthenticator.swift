public import CurlewCore
public import NIOCore

/// Says who may connect.
///
/// A broker asks its authenticators in order; the first that does not abstain decides. When all abstain, the client is accepted if the
/// listener takes anonymous clients, and refused if not.
public protocol MQTTBrokerAuthenticator: Sendable {
    /// Decides about one client. Takes as long as it needs, up to the broker's time-out for connecting; other clients do not wait.
    ///
    /// - Throws: Whatever went wrong; the client is then refused with *server unavailable*, and the error is logged.
    func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision

    /// Tells what the right of a client to be connected rests on at present.
    ///
    /// The broker asks before it authenticates a client, and again after each reload. A connected client whose status has changed is
    /// disconnected with *administrative action*, and has to authenticate again. Must not block. Default: ``MQTTCredentialStatus/notTracked``.
    ///
    /// - Parameter client: The client, with the user name that it gave in CONNECT.
    func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus

    /// Reads its source again, such as a file. Does nothing unless implemented.
    ///
    /// - Throws: What is wrong with it; what was read before stays in force.
    func reload() async throws
}

extension MQTTBrokerAuthenticator {
    /// ``MQTTCredentialStatus/notTracked``.
    public func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus { .notTracked }

    /// Does nothing.
    public func reload() async throws {}
}

/// What an authenticator knows about the credentials of a client.
public enum MQTTCredentialStatus: Sendable, Hashable {
    /// The authenticator does not decide about such a client, or does not follow changes of its credentials.
    case notTracked
    /// There is no such user.
    case unknownUser
    /// There is such a user; the bytes differ after each change of its credentials, such as a digest of them. Never a secret itself.
    case known(version: [UInt8])
}

/// What a client says about itself in CONNECT (MQTT 5.0 section 3.1).
public struct MQTTConnectionAttempt: Sendable {
    /// The client; its user name is what it *says*.
    public var client: MQTTBrokerClient
    /// What the client gave as a password. Never log it.
    public var password: ByteBuffer?
    /// The subject of the client certificate that TLS has verified, if the client presented one.
    public var certificate: MQTTClientCertificate?
    /// Whether the client is on the same machine: a loopback address, or in-process.
    public var isLocal: Bool

    /// Makes an attempt, for tests of authenticators.
    public init(
        client: MQTTBrokerClient, password: ByteBuffer? = nil, certificate: MQTTClientCertificate? = nil,
        isLocal: Bool = true
    ) {
        self.client = client
        self.password = password
        self.certificate = certificate
        self.isLocal = isLocal
    }
}

/// A client certificate that TLS has verified against the listener's authorities.
public struct MQTTClientCertificate: Sendable, Hashable {
    /// The certificate in DER, as the client presented it.
    public var der: [UInt8]

    /// Makes one of its DER bytes.
    public init(der: [UInt8]) { self.der = der }
}

/// What an authenticator decides.
public enum MQTTAuthenticationDecision: Sendable, Hashable {
    /// The client is who it says.
    case allow
    /// The client is known by this user name, whatever it said.
    case allowAs(username: String)
    /// The client is refused with a reason code of CONNACK, such as ``ReasonCode/badUserNameOrPassword`` or
    /// ``ReasonCode/notAuthorized``.
    case deny(ReasonCode)
    /// This authenticator knows nothing about the client: the next is asked.
    case abstain
}

/// An authentication that takes several steps, known by the name of its method (MQTT 5.0 section 4.12).
public protocol MQTTBrokerEnhancedAuthenticator: Sendable {
    /// The name that clients give as Authentication Method.
    var method: String { get }

    /// Begins one authentication, at CONNECT or when a client re-authenticates.
    func begin(_ attempt: MQTTConnectionAttempt) -> any MQTTAuthenticationExchange

    /// Tells what the right of a client to be connected rests on at present; see ``MQTTBrokerAuthenticator/credentialStatus(of:)``.
    /// Default: ``MQTTCredentialStatus/notTracked``.
    func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus

    /// Reads its source again, such as a file. Does nothing unless implemented.
    ///
    /// - Throws: What is wrong with it; what was read before stays in force.
    func reload() async throws
}

extension MQTTBrokerEnhancedAuthenticator {
    /// ``MQTTCredentialStatus/notTracked``.
    public func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus { .notTracked }

    /// Does nothing.
    public func reload() async throws {}
}

/// One authentication under way.
public protocol MQTTAuthenticationExchange: Sendable {
    /// Takes the client's next data.
    ///
    /// - Throws: Whatever went wrong; the client is then refused with *not authorized*.
    mutating func respond(to data: ByteBuffer?) async throws -> MQTTAuthenticationStep
}

/// What an authentication of several steps does next.
public enum MQTTAuthenticationStep: Sendable, Hashable {
    /// Sends data to the client, and waits for its answer.
    case challenge(ByteBuffer)
    /// The client is who it says, and known by this user name; the data goes to the client with the acceptance.
    case allow(username: String?, data: ByteBuffer?)
    /// The client is refused with a reason code of CONNACK and DISCONNECT.
    case deny(ReasonCode)
}
