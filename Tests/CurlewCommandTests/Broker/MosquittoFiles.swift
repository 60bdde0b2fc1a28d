#if Tools
import CurlewBroker
import NIOCore
import Testing

@testable import CurlewCommand

/// Configuration files in memory.
struct MosquittoFiles: Sendable {
    var texts: [String: String]

    init(_ texts: [String: String]) { self.texts = texts }

    var files: ConfigurationFiles {
        ConfigurationFiles { [texts] path throws(SystemError) in
            texts[path]
        } names: { [texts] folder throws(SystemError) in
            let names = texts.keys.filter { $0.hasPrefix("\(folder)/") }.map {
                String($0.dropFirst(folder.count + 1))
            }
            // As if there were no such folder.
            guard !names.isEmpty else { throw SystemError(number: 2) }
            return names
        }
    }

    /// The configuration of a file named `m.conf` with that text.
    static func configuration(_ text: String, _ others: [String: String] = [:]) throws -> MosquittoConfiguration {
        let files = Self(others.merging(["m.conf": text]) { $1 }).files
        switch try MosquittoReader.read("m.conf", files: files) {
        case .configuration(let configuration)?: return configuration
        case .problems(let problems)?: throw Unexpected(what: problems.map(\.description).joined(separator: "\n"))
        case nil: throw Unexpected(what: "There is no m.conf.")
        }
    }

    /// The errors in a file with that text; empty if it is valid.
    static func problems(_ text: String, _ others: [String: String] = [:]) throws -> [String] {
        let files = Self(others.merging(["m.conf": text]) { $1 }).files
        guard case .problems(let problems)? = try MosquittoReader.read("m.conf", files: files) else { return [] }
        return problems.map(\.description)
    }

    static func plan(_ text: String, _ others: [String: String] = [:]) async throws -> BrokerPlan {
        let files = Self(others.merging(["m.conf": text]) { $1 }).files
        return try await Self.configuration(text, others).plan(accounts: NamedAccounts(), files: files)
    }

    struct Unexpected: Error, CustomStringConvertible {
        let what: String
        var description: String { self.what }
    }
}

/// Replaces password and access files, and records their names.
struct NamedAccounts: BrokerAccounts {
    struct Passwords: MQTTBrokerAuthenticator {
        let source: String
        func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision { .abstain }
    }

    struct Access: MQTTBrokerAuthorizer {
        let source: String
        func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
            .abstain
        }
    }

    func passwords(_ path: String) async throws -> any MQTTBrokerAuthenticator {
        guard path != "missing" else {
            throw MQTTBrokerError(.invalidConfiguration, "The password file 'missing' does not exist.")
        }
        return Passwords(source: path)
    }

    /// The rules for the name `rules`.
    func access(_ path: String) async throws -> any MQTTBrokerAuthorizer {
        path == "rules" ? try MQTTAccessFile(text: "topic a\nuser u\ntopic b\n") : Access(source: path)
    }

    func certificates(_ name: CertificateName) throws -> any MQTTBrokerAuthenticator {
        Passwords(source: name == .commonName ? "common name" : "subject")
    }
}

extension [any MQTTBrokerAuthenticator] {
    /// The sources of the authenticators, which are those of ``NamedAccounts``.
    var sources: [String] { self.map { ($0 as? NamedAccounts.Passwords)?.source ?? "?" } }
}

extension [any MQTTBrokerAuthorizer] {
    /// The sources of the authorizers, which are those of ``NamedAccounts``.
    var sources: [String] { self.map { ($0 as? NamedAccounts.Access)?.source ?? "?" } }
}
#endif
