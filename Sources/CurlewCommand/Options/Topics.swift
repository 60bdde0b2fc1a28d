#if Tools
    import ArgumentParser
    import CurlewCore

    /// What a subcommand is about, from -t and from the URL.
    enum Topics {
        /// The one topic name to publish to.
        static func one(_ options: [String], url: String?) throws -> TopicName {
            let all = options + (url.map { [$0] } ?? [])
            guard let topic = all.first else { throw Failure("There is no topic; give one with -t or in the URL.") }
            guard all.count == 1 else {
                throw Failure(
                    "There are \(all.count) topics to publish to, and one message goes to one topic; give one.")
            }
            do throws(TopicError) { return try TopicName(topic) } catch { throw Failure("\(error)") }
        }

        /// The topic filters to subscribe to, each once.
        static func filters(_ options: [String], url: String?) throws -> [TopicFilter] {
            var filters: [TopicFilter] = []
            for text in (url.map { [$0] } ?? []) + options {
                do throws(TopicError) {
                    let filter = try TopicFilter(text)
                    if !filters.contains(filter) { filters.append(filter) }
                } catch {
                    throw Failure("\(error)")
                }
            }
            guard !filters.isEmpty else {
                throw Failure("There is no topic to listen to; give one with -t or in the URL.")
            }
            return filters
        }
    }
#endif
