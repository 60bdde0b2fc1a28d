/// What a subscription grants its client.
package struct SubscriptionGrant: Equatable, Sendable {
    package var qos: QoS
    package var noLocal: Bool
    package var retainAsPublished: Bool
    /// From the SUBSCRIBE, if it had one.
    package var identifier: UInt32?

    package init(_ options: SubscriptionOptions, identifier: UInt32? = nil) {
        self.qos = options.qos
        self.noLocal = options.noLocal
        self.retainAsPublished = options.retainAsPublished
        self.identifier = identifier
    }

    /// How a message is delivered to one of those who share the subscription to `filter`.
    package func terms(
        sharing filter: TopicFilter, publishedAt qos: QoS, retain: Bool, upgrades: Bool
    ) -> DeliveryTerms {
        var terms = MergedGrant(self).terms(publishedAt: qos, retain: retain, upgrades: upgrades)
        terms.group = filter
        return terms
    }
}

/// The subscriptions of one client that match the same topic.
///
/// Not part of the generic index: another module would look up the metadata of its types for each message.
package struct MatchingGrants: Sendable {
    private var merged: MergedGrant
    /// The subscriptions without No Local, if others have it.
    private var mergedForOwn: MergedGrant?
    private var hasNoLocal: Bool

    init(_ grant: SubscriptionGrant) {
        self.merged = MergedGrant(grant)
        self.hasNoLocal = grant.noLocal
    }

    mutating func add(_ grant: SubscriptionGrant) {
        if grant.noLocal, !self.hasNoLocal {
            self.hasNoLocal = true
            self.mergedForOwn = self.merged
        } else if self.hasNoLocal, !grant.noLocal {
            if self.mergedForOwn == nil {
                self.mergedForOwn = MergedGrant(grant)
            } else {
                self.mergedForOwn?.add(grant)
            }
        }
        self.merged.add(grant)
    }

    /// How the message is delivered to the client; `nil` when only No Local subscriptions match and the client itself
    /// published it [MQTT-3.8.3-3].
    package func terms(publishedAt qos: QoS, retain: Bool, isOwn: Bool, upgrades: Bool) -> DeliveryTerms? {
        guard isOwn, self.hasNoLocal else {
            return self.merged.terms(publishedAt: qos, retain: retain, upgrades: upgrades)
        }
        return self.mergedForOwn?.terms(publishedAt: qos, retain: retain, upgrades: upgrades)
    }

    /// The memory of the identifiers.
    var identifierBytes: Int {
        let count = self.merged.identifiers.count + (self.mergedForOwn?.identifiers.count ?? 0)
        return count == 0 ? 0 : count * MemoryLayout<UInt32>.stride + 64
    }
}

/// The combined effect of several subscriptions.
private struct MergedGrant: Sendable {
    /// The highest of the matching subscriptions [MQTT-3.3.4-2].
    var qos: QoS
    var keepsRetain: Bool
    /// The identifiers of those that have one [MQTT-3.3.4-3].
    var identifiers: [UInt32]

    init(_ grant: SubscriptionGrant) {
        self.qos = grant.qos
        self.keepsRetain = grant.retainAsPublished
        self.identifiers = grant.identifier.map { [$0] } ?? []
    }

    mutating func add(_ grant: SubscriptionGrant) {
        self.qos = max(self.qos, grant.qos)
        self.keepsRetain = self.keepsRetain || grant.retainAsPublished
        if let identifier = grant.identifier { self.identifiers.append(identifier) }
    }

    func terms(publishedAt qos: QoS, retain: Bool, upgrades: Bool) -> DeliveryTerms {
        // [MQTT-3.8.4-8]: no higher than the published QoS. [MQTT-3.3.1-12] [MQTT-3.3.1-13]
        DeliveryTerms(
            qos: upgrades ? self.qos : min(qos, self.qos), retain: retain && self.keepsRetain,
            identifiers: self.identifiers)
    }
}
