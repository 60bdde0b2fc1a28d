#if Tools
import CurlewBroker
import CurlewCore

/// Creates authenticators and authorizers from the files that a configuration names.
protocol BrokerAccounts: Sendable {
    /// - Throws: An ``MQTTBrokerError`` or a ``CommandFailure`` about what is wrong with the file.
    func passwords(_ path: String) async throws -> any MQTTBrokerAuthenticator
    /// - Throws: An ``MQTTBrokerError`` or a ``CommandFailure`` about what is wrong with the file.
    func access(_ path: String) async throws -> any MQTTBrokerAuthorizer
    /// - Throws: A ``CommandFailure`` if certificates cannot be read.
    func certificates(_ name: CertificateName) throws -> any MQTTBrokerAuthenticator
}

/// The part of a client's certificate that is the user name.
enum CertificateName: Sendable {
    case commonName, subject
}

/// Reads each file once, regardless of the number of listeners that name it.
struct BrokerAccountFiles {
    private let accounts: any BrokerAccounts
    private var passwords: [ExactText: any MQTTBrokerAuthenticator] = [:]
    private var access: [ExactText: any MQTTBrokerAuthorizer] = [:]

    init(_ accounts: any BrokerAccounts) { self.accounts = accounts }

    mutating func passwords(_ path: String) async throws -> any MQTTBrokerAuthenticator {
        if let known = self.passwords[ExactText(path)] { return known }
        let made = try await self.accounts.passwords(path)
        self.passwords[ExactText(path)] = made
        return made
    }

    mutating func access(_ path: String) async throws -> any MQTTBrokerAuthorizer {
        if let known = self.access[ExactText(path)] { return known }
        let made = try await self.accounts.access(path)
        self.access[ExactText(path)] = made
        return made
    }

    func certificates(_ name: CertificateName) throws -> any MQTTBrokerAuthenticator {
        try self.accounts.certificates(name)
    }
}
#endif
