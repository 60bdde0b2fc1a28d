#if Tools
import Curlew

/// How the command was called: the arguments, combined with the environment and the options file.
struct Invocation {
    let role: Role
    /// The arguments for the parser, where later options override earlier ones.
    let arguments: [String]
    /// The origins of options that are not on the command line, by their long names.
    private var origins: [String: String] = [:]

    /// Warnings to print before the command runs.
    private(set) var warnings: [String] = []

    /// - Parameters:
    ///   - words: The name by which the command was called and its arguments, with their bytes kept.
    ///   - variable: Returns the value of an environment variable; `nil` if it is unset or empty.
    ///   - names: The names of all environment variables.
    ///   - readFile: Returns the text of a file; `nil` if there is none.
    init(
        _ words: [String], variable: (String) -> String?, names: [String] = [],
        readFile: (String) throws -> String?
    ) throws {
        let role = Role(path: words.first ?? "")
        self.role = role
        var given = Array(words.dropFirst())
        if role == .curlew, let arguments = try CommandNames.withoutOptions(given) {
            // Help and version, which have no options.
            self.arguments = arguments
            return
        }
        guard let subcommand = role.subcommand ?? given.first.flatMap(Subcommand.init(rawValue:)) else {
            self.arguments = role == .curlew && given.count == 2 ? CommandNames.help(given) : given
            return
        }
        let command = role == .curlew ? Array(given.prefix(subcommand == .bench ? 2 : 1)) : [subcommand.rawValue]
        if role == .curlew { given.removeFirst(command.count) }
        guard role != .curlew || given != ["-h"] else {
            self.arguments = command + ["--help"]
            return
        }
        var own = GivenOption.read(given, table: subcommand.table)
        if role == .curlew {
            try OptionCheck.check(own, of: subcommand)
            own = try Self.naming(plainWordsOf: own, subcommand)
        } else {
            try OptionCheck.checkMessages(own)
        }
        var taken = Set(own.flatMap(\.subjects))
        var layers = [own]
        if role == .curlew, subcommand != .bench {
            let environment = try Self.environment(subcommand, variable)
            layers.append(environment.filter { $0.subjects.isDisjoint(with: taken) })
            for option in layers[1] { self.origins[option.names[0]] = Self.variable(option.names[0], subcommand) }
            taken.formUnion(environment.flatMap(\.subjects))
            taken.formUnion(Self.subjects(variable))
        } else {
            // Mosquitto's commands combine the topics of the command line and the file.
            taken.remove(.itself("topic"))
        }
        if role == .curlew, !own.contains(where: { $0.names == ["quiet"] }) {
            self.warnings = UnknownVariables.warnings(about: names)
        }
        // The broker has its own configuration file.
        if subcommand.table == .clients, let file = try Self.file(own, role, variable, readFile, &self.warnings) {
            let options = file.lines.flatMap { GivenOption.read($0) }.filter { option in
                // Subcommands share one file, so each ignores the options of the others. Mosquitto's commands have one
                // file each.
                option.subjects.isDisjoint(with: taken)
                    && (role != .curlew || Self.knows(subcommand, option.names[0]))
            }
            for option in options { self.origins[option.names[0]] = "the file '\(file.path)'" }
            layers.append(options)
        }
        let options = Self.droppingFormerTopics(Array(layers.reversed().joined()), role)
        let origins = self.origins
        self.arguments =
            command + (role == .curlew ? [] : ["--as-mosquitto"])
            + (try options.flatMap { try $0.readable(in: subcommand.table, origins) })
    }

    /// Adds the options to arguments without one. The broker takes no such arguments.
    private static func naming(
        plainWordsOf own: [GivenOption], _ subcommand: Subcommand
    ) throws -> [GivenOption] {
        guard subcommand != .broker else { return own }
        var plain = PlainWords(for: subcommand, beside: own)
        return try own.flatMap { option in
            guard option.names.isEmpty, option.unknown == nil, option.url.map(plain.isBroker) != true else {
                return [option]
            }
            return try option.words.drop { $0 == "--" }.map { word in
                word.isURL && plain.isBroker(word)
                    ? GivenOption(words: [word], subjects: [.server, .port]) : try plain.option(word)
            }
        }
    }

    /// A message about an option, with the option's origin if that is not the command line.
    func explained(_ message: String) -> String {
        for (name, origin) in self.origins where message.contains("--\(name)") {
            return "\(message) (this comes from \(origin))"
        }
        return message
    }

    // MARK: The environment

    /// The environment variables as options, except those that the library reads itself.
    private static func environment(
        _ subcommand: Subcommand, _ variable: (String) -> String?
    ) throws -> [GivenOption] {
        let known = Set(MQTTConfiguration.environmentVariables.map { "CURLEW_" + $0.dropFirst("MQTT_".count) })
            .union(["CURLEW_PSK"])
        return try KnownOption.all.compactMap { option in
            guard option.subcommands.contains(subcommand), !known.contains(option.variable),
                let value = variable(option.variable)
            else { return nil }
            let name = "--\(option.long)"
            let words: [String]
            switch option.value {
            case .one: words = [name, value]
            case .property:
                let separator = String(Character(GivenOption.separator))
                words = [name, value.split(separator: " ", maxSplits: 3).joined(separator: separator)]
            case .none:
                switch value.lowercased() {
                case "true", "yes", "on", "1": words = [name]
                case "false", "no", "off", "0": return nil
                default: throw CommandFailure("The environment variable \(option.variable) must be true or false.")
                }
            }
            return GivenOption(words: words, subjects: option.subjects, names: [option.long])
        }
    }

    private static func variable(_ name: String, _ subcommand: Subcommand) -> String {
        let option = KnownOption.named("--\(name)", in: subcommand.table)
        return "the environment variable \(option?.variable ?? name)"
    }

    /// The settings of the variables that the library reads. They override the file.
    private static func subjects(_ variable: (String) -> String?) -> Set<KnownOption.Subject> {
        let subjects: [String: Set<KnownOption.Subject>] = [
            "URL": [.server, .port], "HOST": [.server], "PORT": [.port], "USERNAME": [.itself("username")],
            "PASSWORD": [.password], "PASSWORD_FILE": [.password], "VERSION": [.itself("protocol-version")],
            "CLIENT_ID": [.identity], "CLIENT_ID_PREFIX": [.identity], "KEEP_ALIVE": [.itself("keepalive")],
            "CLEAN_START": [.itself("disable-clean-session")],
            "SESSION_EXPIRY": [.itself("session-expiry-interval")], "RECEIVE_MAXIMUM": [.itself("max-inflight")],
            "MAXIMUM_IN_FLIGHT": [.itself("max-inflight")],
            "CA": [.authorities], "CA_FILE": [.authorities], "CA_DIRECTORY": [.authorities],
            "CERTIFICATE": [.itself("cert")], "CERTIFICATE_FILE": [.itself("cert")],
            "PRIVATE_KEY": [.itself("key")], "PRIVATE_KEY_FILE": [.itself("key")], "ALPN": [.itself("tls-alpn")],
            "MINIMUM_TLS": [.itself("tls-version")], "INSECURE": [.itself("insecure")],
        ]
        var found: Set<KnownOption.Subject> = []
        for (name, subjects) in subjects where variable("CURLEW_\(name)") != nil || variable("MQTT_\(name)") != nil {
            found.formUnion(subjects)
        }
        return found
    }

    // MARK: The file

    private static func file(
        _ own: [GivenOption], _ role: Role, _ variable: (String) -> String?, _ read: (String) throws -> String?,
        _ warnings: inout [String]
    ) throws -> OptionsFile? {
        let named =
            own.last { $0.names == ["options-file"] }?.words.dropFirst().first ?? variable("CURLEW_OPTIONS_FILE")
        guard let path = named ?? OptionsFile.usualPath(of: role, variable: variable) else { return nil }
        let text: String?
        do { text = try read(path) } catch let failure as CommandFailure where named == nil {
            // The default file was not asked for, and may belong to another user.
            warnings.append("\(failure) It is ignored.")
            return nil
        }
        guard let text else {
            guard named == nil else { throw CommandFailure("The options file '\(path)' does not exist.") }
            return nil
        }
        return try OptionsFile(path: path, text: text, needsDashes: role != .curlew)
    }

    private static func knows(_ subcommand: Subcommand, _ name: String) -> Bool {
        KnownOption.named("--\(name)")?.subcommands.contains(subcommand) == true
    }

    /// mosquitto_pub and mosquitto_rr take the last of several topics.
    private static func droppingFormerTopics(_ options: [GivenOption], _ role: Role) -> [GivenOption] {
        guard role == .mosquittoPublish || role == .mosquittoRequest,
            let last = options.lastIndex(where: { $0.names == ["topic"] })
        else { return options }
        return options.enumerated().filter { $0 >= last || $1.names != ["topic"] }.map(\.element)
    }
}
#endif
