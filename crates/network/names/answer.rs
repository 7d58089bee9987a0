//! What is answered to a question, as far as it can be without asking others. Pure.

use simple_dns::{
    CLASS, OPCODE, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE,
    rdata::{A, RData},
};

use super::{Names, Outside};

/// Seconds for which an answer holds; the address never changes.
const LIFETIME_SECONDS: u32 = 60;
/// Where an instance finds the server: on its own loopback.
const HERE: [u8; 4] = [127, 0, 0, 1];

/// How a question is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// With this message.
    Known(Vec<u8>),
    /// As others answer it.
    Elsewhere,
}

/// None for what is no question.
pub(super) fn to(message: &[u8], names: &Names, outside: Outside) -> Option<Answer> {
    let packet = Packet::parse(message).ok()?;
    if packet.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let [question] = packet.questions.as_slice() else {
        return known(packet, RCODE::FormatError);
    };
    if packet.opcode() != OPCODE::StandardQuery {
        return known(packet, RCODE::NotImplemented);
    }
    if names.are_ours(&question.qname.to_string()) {
        let (name, wanted) = (question.qname.clone(), question.qtype);
        let mut answer = reply(packet);
        if matches!(wanted, QTYPE::TYPE(TYPE::A) | QTYPE::ANY) {
            let here = RData::A(A { address: u32::from_be_bytes(HERE) });
            let record = ResourceRecord::new(name, CLASS::IN, LIFETIME_SECONDS, here);
            answer.answers.push(record);
        }
        return answer.build_bytes_vec().ok().map(Answer::Known);
    }
    match outside {
        Outside::Asked => Some(Answer::Elsewhere),
        // Not a refusal: some libraries wait for another answer then, for seconds.
        Outside::Unknown => known(packet, RCODE::NameError),
    }
}

fn known(question: Packet<'_>, code: RCODE) -> Option<Answer> {
    let mut answer = reply(question);
    *answer.rcode_mut() = code;
    answer.build_bytes_vec().ok().map(Answer::Known)
}

fn reply(question: Packet<'_>) -> Packet<'_> {
    let recurses = question.has_flags(PacketFlag::RECURSION_DESIRED);
    let (id, opcode) = (question.id(), question.opcode());
    let mut reply = Packet::new_reply(id);
    *reply.opcode_mut() = opcode;
    reply.questions = question.questions;
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    if recurses {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::{Name, QCLASS, Question};

    fn question(name: &str, wanted: TYPE) -> Vec<u8> {
        let mut packet = Packet::new_query(77);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let name = Name::new_unchecked(name);
        let class = QCLASS::CLASS(CLASS::IN);
        packet.questions.push(Question::new(name, QTYPE::TYPE(wanted), class, false));
        packet.build_bytes_vec().unwrap()
    }

    fn answered(name: &str, wanted: TYPE, outside: Outside) -> Answer {
        let names = Names::new(&["lampejo.internal".into()]);
        to(&question(name, wanted), &names, outside).unwrap()
    }

    fn known(answer: &Answer) -> Packet<'_> {
        match answer {
            Answer::Known(bytes) => Packet::parse(bytes).unwrap(),
            Answer::Elsewhere => panic!("asked elsewhere"),
        }
    }

    #[test]
    fn our_names_are_at_the_instances_own_loopback() {
        for name in ["localhost", "bucket.s3.lampejo.internal"] {
            let answer = answered(name, TYPE::A, Outside::Asked);
            let packet = known(&answer);
            assert_eq!(
                (packet.id(), packet.rcode(), packet.questions.len()),
                (77, RCODE::NoError, 1)
            );
            let RData::A(address) = &packet.answers[0].rdata else { panic!("{packet:?}") };
            assert_eq!(address.address, 0x7f00_0001);
        }
        let answer = answered("localhost", TYPE::AAAA, Outside::Asked);
        assert!(known(&answer).answers.is_empty(), "a name without such an address");
        assert_eq!(known(&answer).rcode(), RCODE::NoError);
    }

    #[test]
    fn other_names_are_known_outside_or_not_at_all() {
        assert_eq!(answered("example.com", TYPE::A, Outside::Asked), Answer::Elsewhere);
        let answer = answered("example.com", TYPE::A, Outside::Unknown);
        assert_eq!(known(&answer).rcode(), RCODE::NameError);
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let names = Names::new(&[]);
        let question = question("localhost", TYPE::A);
        for cut in 0..question.len() {
            assert_eq!(to(&question[..cut], &names, Outside::Asked), None, "{cut} bytes");
        }
        let mut response = question.clone();
        response[2] |= 0x80;
        assert_eq!(to(&response, &names, Outside::Asked), None);
        // A name that points to itself.
        let mut endless = question[..12].to_vec();
        endless.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(to(&endless, &names, Outside::Asked), None);
    }
}
