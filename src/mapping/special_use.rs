//! Special-use mailboxes (RFC 6154) by attribute, and by the names that clients and servers give them.

/// What a mailbox is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Use {
    /// Copies of what was sent.
    Sent,
    /// Unfinished messages.
    Drafts,
    /// Deleted messages.
    Trash,
    /// Spam.
    Junk,
    /// Put away.
    Archive,
}

/// Names per use, in lower case: English, client and provider spellings, then languages by their ISO code.
const NAMES: [(Use, &[&str]); 5] = [
    (
        Use::Sent,
        &[
            "sent",
            "sent items",
            "sent mail",
            "sent messages",
            "sent-mail",
            "sentbox",
            "outbox sent",
            "[gmail]/sent mail",
            "[google mail]/sent mail",
            "gesendet",
            "gesendete objekte",
            "gesendete elemente",
            "gesendete nachrichten", // de
            "envoyé",
            "envoyés",
            "messages envoyés",
            "éléments envoyés",
            "objets envoyés",
            "[gmail]/messages envoyés", // fr
            "enviados",
            "elementos enviados",
            "mensajes enviados",
            "correo enviado",
            "enviadas", // es
            "posta inviata",
            "inviata",
            "inviati",
            "elementi inviati", // it
            "itens enviados",
            "mensagens enviadas",
            "e-mails enviados", // pt
            "verzonden",
            "verzonden items",
            "verzonden berichten", // nl
            "wysłane",
            "elementy wysłane",
            "wysłana poczta", // pl
            "skickat",
            "skickade objekt",
            "skickade", // sv
            "sendt",
            "sendte elementer",
            "sendt post",
            "sendte",
            "sendt e-post", // da, no
            "lähetetyt",
            "lähetetyt viestit", // fi
            "odeslaná pošta",
            "odeslané",
            "odeslaná", // cs
            "отправленные",
            "отправленное", // ru
            "надіслані",
            "відправлені", // uk
            "gönderilmiş öğeler",
            "gönderilen",
            "gönderilenler",
            "gönderilmiş postalar", // tr
            "απεσταλμένα",          // el
            "elküldött",
            "elküldött elemek", // hu
            "trimise",
            "elemente trimise",
            "mesaje trimise", // ro
            "送信済み",
            "送信済みアイテム",
            "送信済みメール", // ja
            "已发送",
            "已发送邮件",
            "已发送消息",
            "寄件備份",
            "已傳送的郵件",
            "已寄出", // zh
            "보낸 편지함",
            "보낸편지함",
            "보낸 메일함", // ko
        ],
    ),
    (
        Use::Drafts,
        &[
            "drafts",
            "draft",
            "[gmail]/drafts",
            "[google mail]/drafts",
            "entwürfe",
            "entwurf", // de
            "brouillons",
            "brouillon", // fr
            "borradores",
            "borrador", // es
            "bozze",    // it
            "rascunhos",
            "rascunho",  // pt
            "concepten", // nl
            "szkice",
            "wersje robocze",
            "kopie robocze", // pl
            "utkast",        // sv, no
            "kladder",
            "udkast",     // da, no
            "luonnokset", // fi
            "koncepty",
            "rozepsané",   // cs
            "черновики",   // ru
            "чернетки",    // uk
            "taslaklar",   // tr
            "πρόχειρα",    // el
            "piszkozatok", // hu
            "ciorne",
            "schițe", // ro
            "下書き", // ja
            "草稿",
            "草稿箱",
            "草稿匣", // zh
            "임시 보관함",
            "임시보관함", // ko
        ],
    ),
    (
        Use::Trash,
        &[
            "trash",
            "deleted items",
            "deleted messages",
            "deleted",
            "bin",
            "rubbish",
            "wastebasket",
            "[gmail]/trash",
            "[gmail]/bin",
            "[google mail]/trash",
            "[google mail]/bin",
            "papierkorb",
            "gelöscht",
            "gelöschte objekte",
            "gelöschte elemente",
            "[gmail]/papierkorb", // de
            "corbeille",
            "éléments supprimés",
            "messages supprimés", // fr
            "papelera",
            "elementos eliminados",
            "eliminados",
            "papelera de reciclaje", // es
            "cestino",
            "posta eliminata",
            "elementi eliminati", // it
            "lixo",
            "lixeira",
            "itens excluídos",
            "itens eliminados", // pt
            "prullenbak",
            "verwijderde items", // nl
            "kosz",
            "elementy usunięte",
            "usunięte", // pl
            "papperskorgen",
            "borttaget",
            "borttagna objekt", // sv
            "papirkurv",
            "slettet post",
            "slettede elementer",
            "søppelbøtte", // da, no
            "roskakori",
            "poistetut", // fi
            "koš",
            "odstraněná pošta",
            "odstraněné", // cs
            "корзина",
            "удаленные",
            "удалённые", // ru
            "кошик",
            "видалені", // uk
            "çöp kutusu",
            "silinmiş öğeler",
            "çöp", // tr
            "κάδος απορριμμάτων",
            "διαγραμμένα", // el
            "kuka",
            "törölt elemek",
            "lomtár", // hu
            "coș de gunoi",
            "elemente șterse",
            "gunoi", // ro
            "ゴミ箱",
            "削除済みアイテム", // ja
            "已删除",
            "已删除邮件",
            "垃圾桶",
            "刪除的郵件",
            "已删除消息", // zh
            "휴지통",
            "지운 편지함", // ko
        ],
    ),
    (
        Use::Junk,
        &[
            "junk",
            "spam",
            "junk e-mail",
            "junk email",
            "junk mail",
            "bulk mail",
            "bulk",
            "[gmail]/spam",
            "[google mail]/spam",
            "junk-e-mail",
            "spamverdacht",
            "unerwünscht",
            "werbung", // de
            "courrier indésirable",
            "indésirables",
            "pourriel", // fr
            "correo no deseado",
            "correo basura",      // es
            "posta indesiderata", // it
            "lixo eletrônico",
            "lixo eletrónico",
            "lixo electrónico", // pt
            "ongewenste e-mail",
            "ongewenst", // nl
            "wiadomości-śmieci",
            "niechciane", // pl
            "skräppost",  // sv
            "uønsket e-mail",
            "uønsket post",
            "søppelpost",
            "uønsket e-post", // da, no
            "roskaposti",     // fi
            "nevyžádaná pošta",
            "nevyžádané", // cs
            "спам",
            "нежелательная почта", // ru
            "небажана пошта",      // uk
            "gereksiz",
            "önemsiz",
            "önemsiz e-posta",
            "istenmeyen",  // tr
            "ανεπιθύμητα", // el
            "levélszemét", // hu
            "nedorite",
            "mesaje nedorite", // ro
            "迷惑メール",      // ja
            "垃圾邮件",
            "垃圾郵件", // zh
            "스팸",
            "스팸메일함",
            "정크 메일", // ko
        ],
    ),
    (
        Use::Archive,
        &[
            "archive",
            "archives",
            "archived",
            "archiv", // de, cs
            "archivo",
            "archivados", // es
            "archivio",   // it
            "arquivo",
            "arquivos",
            "arquivo morto", // pt
            "archief",       // nl
            "archiwum",      // pl
            "arkiv",         // sv, da, no
            "arkisto",       // fi
            "архив",         // ru
            "архів",         // uk
            "arşiv",         // tr
            "αρχείο",        // el
            "archívum",      // hu
            "arhivă",
            "arhiva",     // ro
            "アーカイブ", // ja
            "存档",
            "归档",
            "封存",   // zh
            "보관함", // ko
        ],
    ),
];

impl Use {
    /// The use that one of the LIST attributes names.
    #[must_use]
    pub fn of_attributes(attributes: &[String]) -> Option<Self> {
        attributes
            .iter()
            .find_map(|attribute| match attribute.to_ascii_lowercase().as_str() {
                "\\sent" => Some(Self::Sent),
                "\\drafts" => Some(Self::Drafts),
                "\\trash" => Some(Self::Trash),
                "\\junk" | "\\spam" => Some(Self::Junk),
                "\\archive" => Some(Self::Archive),
                _ => None,
            })
    }

    /// The use that a name without prefix stands for.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let folded = name.to_lowercase();
        NAMES
            .iter()
            .find(|(_, names)| names.contains(&folded.as_str()))
            .map(|(found, _)| *found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_one_use_and_is_in_lower_case() {
        let mut seen = std::collections::HashMap::new();
        for (found, names) in NAMES {
            for name in names {
                assert_eq!(*name, name.to_lowercase(), "compared in lower case");
                assert_eq!(seen.insert(*name, found), None, "{name} twice");
                assert_eq!(Use::of_name(&name.to_uppercase()), Use::of_name(name));
            }
        }
    }

    #[test]
    fn attributes_are_read_in_any_case() {
        let of = |text: &str| Use::of_attributes(&[text.to_owned()]);
        assert_eq!(of("\\SENT"), Some(Use::Sent));
        assert_eq!(of("\\HasChildren"), None);
        assert_eq!(Use::of_name("Gesendete Objekte"), Some(Use::Sent));
        assert_eq!(Use::of_name("Presents"), None);
    }
}
