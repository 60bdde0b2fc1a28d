public import CurlewCore
public import NIOCore

/// Decides who may connect.
///
/// The broker asks its authenticators in order; the first one that does not abstain decides. If all abstain, the client
/// is accepted if the listener accepts anonymous clients, and refused otherwise.
public protocol MQTTBrokerAuthenticator: Sendable {
    /// Decides about one client. May take up to ``MQTTBrokerConfiguration/Limits/connectTimeout``; other clients do not
    /// wait. The task is cancelled when the client disconnects.
    ///
    /// - Throws: What went wrong. The client is then refused with *server unavailable*, and the error is logged.
    func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision

    /// Returns the current state of the credentials by which a client is connected.
    ///
    /// The broker asks before it authenticates a client, and again after each reload. A connected client whose status
    /// has changed is disconnected with *administrative action* and has to authenticate again. Must not block. Default:
    /// ``MQTTCredentialStatus/notTracked``.
    ///
    /// - Parameter client: The client, with the user name that it gave in CONNECT.
    func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus

    /// Reads its source, such as a file, again. Default: does nothing.
    ///
    /// - Throws: What is wrong with the source; its earlier content stays in force.
    func reload() async throws
}

extension MQTTBrokerAuthenticator {
    /// ``MQTTCredentialStatus/notTracked``.
    public func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus { .notTracked }

    /// Does nothing.
    public func reload() async throws {}
}

/// What an authenticator knows about the credentials of a client.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTCredentialStatus: Sendable, Hashable {
    /// The authenticator does not decide about such a client, or does not follow changes of its credentials.
    case notTracked
    /// The user does not exist.
    case unknownUser
    /// The user exists. The bytes, such as a digest, are different after each change of its credentials; they must not
    /// be a secret.
    case known(version: [UInt8])
}

/// An attempt to connect: what the client states in CONNECT (MQTT 5.0 section 3.1), and how it is connected.
public struct MQTTConnectionAttempt: Sendable {
    /// The client, with the user name that it *claims*.
    public var client: MQTTBrokerClient
    /// The password that the client sent.
    public var password: MQTTPassword?
    /// The client certificate that TLS has verified, if the client presented one.
    public var certificate: MQTTClientCertificate?
    /// The user that the client's process runs as, on a Unix domain socket; `nil` if it is not known.
    public var userID: UInt32?
    /// Whether the client is on the same machine: a loopback address, a Unix domain socket, or in-process.
    public var isLocal: Bool
    /// The application protocol that was negotiated (ALPN, RFC 7301); `nil` without TLS, or if there was none to choose
    /// from, see ``MQTTBrokerConfiguration/TLS/applicationProtocols``.
    public var applicationProtocol: String?

    /// Makes an attempt, for tests of authenticators.
    public init(
        client: MQTTBrokerClient, password: MQTTPassword? = nil, certificate: MQTTClientCertificate? = nil,
        isLocal: Bool = true, userID: UInt32? = nil, applicationProtocol: String? = nil
    ) {
        self.client = client
        self.password = password
        self.certificate = certificate
        self.isLocal = isLocal
        self.userID = userID
        self.applicationProtocol = applicationProtocol
    }
}

/// A client certificate that TLS has verified against the listener's authorities.
public struct MQTTClientCertificate: Sendable, Hashable {
    /// The certificate in DER, as the client presented it.
    public var der: [UInt8]

    /// Creates a certificate from its DER bytes.
    public init(der: [UInt8]) { self.der = der }
}

/// What an authenticator decides.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTAuthenticationDecision: Sendable, Hashable {
    /// Accepts the client.
    case allow
    /// Accepts the client under this user name, regardless of the one that it claims.
    case allowAs(username: String)
    /// Refuses the client with a reason code of CONNACK, such as ``ReasonCode/badUserNameOrPassword`` or
    /// ``ReasonCode/notAuthorized``.
    case deny(ReasonCode)
    /// Leaves the decision to the next authenticator.
    case abstain
}

/// An authentication method of several steps (enhanced authentication, MQTT 5.0 section 4.12).
public protocol MQTTBrokerEnhancedAuthenticator: Sendable {
    /// The name that clients give as Authentication Method.
    var method: String { get }

    /// Begins an authentication, at CONNECT or when a connected client authenticates again.
    func begin(_ attempt: MQTTConnectionAttempt) -> any MQTTEnhancedAuthentication

    /// Returns the current state of the credentials by which a client is connected; see
    /// ``MQTTBrokerAuthenticator/credentialStatus(of:)``. Default: ``MQTTCredentialStatus/notTracked``.
    func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus

    /// Reads its source, such as a file, again. Default: does nothing.
    ///
    /// - Throws: What is wrong with the source; its earlier content stays in force.
    func reload() async throws
}

extension MQTTBrokerEnhancedAuthenticator {
    /// ``MQTTCredentialStatus/notTracked``.
    public func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus { .notTracked }

    /// Does nothing.
    public func reload() async throws {}
}

/// One authentication under way.
public protocol MQTTEnhancedAuthentication: Sendable {
    /// Processes the next data of the client. The task is cancelled when the client disconnects.
    ///
    /// - Throws: What went wrong. The client is then refused with *not authorized*.
    mutating func respond(to data: ByteBuffer?) async throws -> MQTTAuthenticationStep
}

/// The next step of an enhanced authentication.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTAuthenticationStep: Sendable, Hashable {
    /// Sends data to the client, and waits for its answer.
    case challenge(ByteBuffer)
    /// Accepts the client under this user name, and sends it the data.
    case allow(username: String?, data: ByteBuffer?)
    /// Refuses the client with a reason code of CONNACK or DISCONNECT.
    case deny(ReasonCode)
}
