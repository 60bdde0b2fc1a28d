#if Tools
    /// An option as it was given, with its value if it has one, or anything else that the parser will judge.
    struct GivenOption: Equatable {
        /// For the parser.
        var words: [String]
        /// What it is about; a URL is about the server and its port.
        var subjects: Set<KnownOption.Subject> = []
        /// The long names of the options in it.
        var names: [String] = []
    }

    extension GivenOption {
        /// What keeps the words of one property together on their way through the parser: no property can contain it.
        static let separator: Character = "\u{1F}"

        /// Takes arguments apart, and puts together the words of `-D`, which no parser could tell from what follows them.
        static func read(_ arguments: [String], table: KnownOption.Table = .clients) -> [GivenOption] {
            var rest = arguments[...]
            var options: [GivenOption] = []
            while let word = rest.popFirst() {
                if word == "--" {
                    options.append(GivenOption(words: [word] + rest))
                    break
                }
                options.append(Self.option(word, &rest, table))
            }
            return options
        }

        private static func option(
            _ word: String, _ rest: inout ArraySlice<String>, _ table: KnownOption.Table
        ) -> GivenOption {
            guard word.hasPrefix("-"), word.count > 1 else {
                return GivenOption(words: [word], subjects: word.contains("://") ? [.server, .port] : [])
            }
            let name = word.prefix { $0 != "=" }
            if let known = KnownOption.named(name, in: table) {
                let hasValue = name.count < word.count
                return GivenOption(
                    words: [word] + (hasValue ? [] : Self.value(of: known, &rest)), subjects: known.subjects,
                    names: [known.long])
            }
            guard !word.hasPrefix("--") else { return GivenOption(words: [word]) }
            // Several short ones after one dash; the last of them may take a value.
            let cluster = word.dropFirst().map { KnownOption.named("-\($0)", in: table) }
            var option = GivenOption(words: [word])
            for case let known? in cluster {
                option.subjects.formUnion(known.subjects)
                option.names.append(known.long)
            }
            if let last = cluster.last ?? nil, cluster.allSatisfy({ $0 != nil }) {
                option.words += Self.value(of: last, &rest)
            }
            return option
        }

        private static func value(of option: KnownOption, _ rest: inout ArraySlice<String>) -> [String] {
            switch option.value {
            case .none: return []
            case .one: return rest.popFirst().map { [$0] } ?? []
            case .property:
                let count = rest.dropFirst().first == "user-property" ? 4 : 3
                let words = rest.prefix(count)
                rest = rest.dropFirst(count)
                return words.isEmpty ? [] : [words.joined(separator: String(Self.separator))]
            }
        }
    }
#endif
