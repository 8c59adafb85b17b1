//! Special-use mailboxes (RFC 6154) by attribute, and by the names that clients and servers give them.

use unicode_normalization::UnicodeNormalization;

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

/// Names per use, in lower case, a language a line (ISO codes); the commonest first, as it is preferred.
const NAMES: [(Use, &[&str]); 5] = [
    (
        Use::Sent,
        &[
            "sent|sent items|sent mail|sent messages|sent-mail|sent email|sent e-mail|sent objects|sentbox|sent box|sentmail", // en
            "gesendet|gesendete objekte|gesendete elemente|gesendete nachrichten|gesendete e-mails|gesendete mails|postausgang gesendet", // de
            "envoyé|envoyés|messages envoyés|éléments envoyés|objets envoyés|courrier envoyé|envoyes|messages envoyes", // fr
            "enviados|elementos enviados|mensajes enviados|correo enviado|correos enviados|enviado|enviadas", // es
            "posta inviata|inviata|inviati|elementi inviati|messaggi inviati", // it
            "itens enviados|mensagens enviadas|e-mails enviados|e-mail enviado|correio enviado|enviada", // pt
            "verzonden|verzonden items|verzonden berichten|verzonden objecten|verzonden e-mail", // nl
            "wysłane|elementy wysłane|wysłana poczta|wysłane wiadomości|poczta wysłana", // pl
            "skickat|skickade objekt|skickade|skickade meddelanden|skickad e-post",      // sv
            "sendt|sendte elementer|sendt post|sendte|sendt e-post|sendte meldinger|sendte beskeder|sende elementer", // da, no
            "lähetetyt|lähetetyt viestit|lähetetyt kohteet", // fi
            "odeslaná pošta|odeslané|odeslaná|odeslané zprávy|odeslané položky", // cs
            "отправленные|отправленное|отправленные сообщения|отправленные письма|отправленные элементы", // ru
            "надіслані|відправлені|надіслані елементи|надіслане|відправлене", // uk
            "gönderilmiş öğeler|gönderilen|gönderilenler|gönderilmiş postalar|gönderilmiş|gönderilen postalar|gönderilen öğeler", // tr
            "απεσταλμένα|σταλμένα|απεσταλμένα στοιχεία|εξερχόμενα απεσταλμένα", // el
            "elküldött|elküldött elemek|elküldött levelek|elküldött üzenetek",  // hu
            "trimise|elemente trimise|mesaje trimise|e-mailuri trimise",        // ro
            "送信済み|送信済みアイテム|送信済みメール|送信済みメッセージ|送信箱", // ja
            "已发送|已发送邮件|已发送消息|已发送的邮件|已发邮件|寄件備份|已傳送的郵件|已寄出|寄件備份匣|已傳送|已傳送郵件", // zh
            "보낸 편지함|보낸편지함|보낸 메일함|보낸메일함|보낸 항목", // ko
        ],
    ),
    (
        Use::Drafts,
        &[
            "drafts|draft|draft messages|unsent drafts",   // en
            "entwürfe|entwurf",                            // de
            "brouillons|brouillon",                        // fr
            "borradores|borrador",                         // es
            "bozze|bozza",                                 // it
            "rascunhos|rascunho",                          // pt
            "concepten|concept|klad",                      // nl
            "szkice|wersje robocze|kopie robocze|robocze", // pl
            "utkast",                                      // sv, no
            "kladder|udkast|kladde",                       // da, no
            "luonnokset|luonnos",                          // fi
            "koncepty|rozepsané|rozepsané zprávy",         // cs
            "черновики|черновик",                          // ru
            "чернетки",                                    // uk
            "taslaklar|taslak",                            // tr
            "πρόχειρα",                                    // el
            "piszkozatok|vázlatok|piszkozat",              // hu
            "ciorne|schițe|schiţe|mesaje nefinalizate",    // ro
            "下書き|草稿トレイ",                           // ja
            "草稿|草稿箱|草稿匣|草稿夹",                   // zh
            "임시 보관함|임시보관함|초안|임시 저장함",     // ko
        ],
    ),
    (
        Use::Trash,
        &[
            "trash|deleted items|deleted messages|deleted|bin|rubbish|wastebasket|trash can|deleted objects|deleted mail|recycle bin", // en
            "papierkorb|gelöscht|gelöschte objekte|gelöschte elemente|gelöschte nachrichten", // de
            "corbeille|éléments supprimés|messages supprimés|objets supprimés|poubelle|supprimés|elements supprimes", // fr
            "papelera|elementos eliminados|eliminados|papelera de reciclaje|mensajes eliminados|correo eliminado", // es
            "cestino|posta eliminata|elementi eliminati|messaggi eliminati|eliminati", // it
            "lixo|lixeira|itens excluídos|itens eliminados|reciclagem|mensagens excluídas|mensagens eliminadas|excluídos", // pt
            "prullenbak|verwijderde items|verwijderde berichten|verwijderd|verwijderde objecten", // nl
            "kosz|elementy usunięte|usunięte|usunięte wiadomości", // pl
            "papperskorgen|borttaget|borttagna objekt|papperskorg|borttagna meddelanden", // sv
            "papirkurv|slettet post|slettede elementer|søppelbøtte|papirkurven|slettet|slettede meddelelser|søppel|slettede beskeder", // da, no
            "roskakori|poistetut|poistetut viestit|poistetut kohteet", // fi
            "koš|odstraněná pošta|odstraněné|smazané|odstraněné položky|odstraněné zprávy", // cs
            "корзина|удаленные|удалённые|удаленные элементы|удаленные сообщения|удалённые письма", // ru
            "кошик|видалені|видалені елементи|смітник", // uk
            "çöp kutusu|silinmiş öğeler|çöp|silinmiş|silinenler|silinen öğeler", // tr
            "κάδος απορριμμάτων|διαγραμμένα|κάδος|απορρίμματα|διαγραμμένα στοιχεία", // el
            "kuka|törölt elemek|lomtár|törölt|törölt üzenetek", // hu
            "coș de gunoi|coş de gunoi|elemente șterse|elemente şterse|gunoi|coș|șterse", // ro
            "ゴミ箱|ごみ箱|削除済みアイテム|削除済み|削除済みメッセージ|削除済みメール", // ja
            "已删除|已删除邮件|垃圾桶|刪除的郵件|已删除消息|已删除的邮件|废件箱|回收站|廢紙簍|已刪除的郵件|已刪除|废纸篓", // zh
            "휴지통|지운 편지함|지운편지함|삭제된 항목", // ko
        ],
    ),
    (
        Use::Junk,
        &[
            "junk|spam|junk e-mail|junk email|junk mail|bulk mail|bulk|junkmail|spam mail|spambox", // en
            "junk-e-mail|junk-mail|spamverdacht|unerwünscht|spam-verdacht|unerwünschte werbung|unerwünschte e-mail", // de
            "courrier indésirable|indésirables|pourriel|pourriels|indésirable|courriers indésirables", // fr
            "correo no deseado|correo basura|correo electrónico no deseado|no deseado|no deseados", // es
            "posta indesiderata|indesiderata|posta spazzatura", // it
            "lixo eletrônico|lixo eletrónico|lixo electrónico|correio eletrónico não solicitado|email de lixo|e-mail de lixo", // pt
            "ongewenste e-mail|ongewenst|ongewenste reclame|ongewenste berichten", // nl
            "wiadomości-śmieci|niechciane|wiadomości śmieci|niechciana poczta|poczta-śmieci", // pl
            "skräppost|skräp",                                                     // sv
            "uønsket e-mail|uønsket post|søppelpost|uønsket e-post|uønsket mail|uønsket|søppel-e-post", // da, no
            "roskaposti|roskapostit",                 // fi
            "nevyžádaná pošta|nevyžádané|nevyžádaná", // cs
            "спам|нежелательная почта|нежелательные", // ru
            "небажана пошта|небажані|небажана",       // uk
            "gereksiz|önemsiz|önemsiz e-posta|istenmeyen|gereksiz posta|istenmeyen e-posta", // tr
            "ανεπιθύμητα|ανεπιθύμητη αλληλογραφία|ανεπιθύμητη", // el
            "levélszemét|kéretlen|szemét",            // hu
            "nedorite|mesaje nedorite|mesaje nesolicitate|e-mail nedorit", // ro
            "迷惑メール|迷惑メールフォルダ",          // ja
            "垃圾邮件|垃圾郵件|垃圾邮件箱|垃圾箱|垃圾信件匣", // zh
            "스팸|스팸메일함|정크 메일|스팸 메일함|정크메일|스팸함", // ko
        ],
    ),
    (
        Use::Archive,
        &[
            "archive|archives|archived|archived items|archive items", // en
            "archiv|archivierte elemente|archivierte objekte",        // de, cs
            "archivo|archivados|archivos",                            // es
            "archivio|archiviati|archivi",                            // it
            "arquivo|arquivos|arquivo morto|arquivadas|arquivados",   // pt
            "archief|archieven",                                      // nl
            "archiwum|archiwa",                                       // pl
            "arkiv|arkiver|arkiverat",                                // sv, da, no
            "arkisto|arkistot",                                       // fi
            "архив|архивы",                                           // ru
            "архів|архіви",                                           // uk
            "arşiv|arşivler",                                         // tr
            "αρχείο|αρχειοθήκη|αρχειοθέτηση",                         // el
            "archívum|archiválás",                                    // hu
            "arhivă|arhiva|arhive",                                   // ro
            "アーカイブ|保管庫",                                      // ja
            "存档|归档|封存|歸檔|保存檔",                             // zh
            "보관함|보관",                                            // ko
        ],
    ),
];

/// The level that Gmail puts its own mailboxes under.
const GMAIL: [&str; 3] = ["[gmail]", "[google mail]", "[googlemail]"];

impl Use {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sent,
        Self::Drafts,
        Self::Trash,
        Self::Junk,
        Self::Archive,
    ];

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

    /// The use that the levels of a name without prefix stand for, and how uncommon the name is.
    ///
    /// Only names at the top count, and those in Gmail's own level.
    #[must_use]
    pub fn of_levels(levels: &[impl AsRef<str>]) -> Option<(Self, usize)> {
        let name = match levels {
            [name] => name,
            [gmail, name] if GMAIL.contains(&gmail.as_ref().to_lowercase().as_str()) => name,
            _ => return None,
        };
        // Composed and in lower case, as the table: Apple's clients write names decomposed.
        let name: String = name.as_ref().nfc().collect::<String>().to_lowercase();
        let name: String = name.nfc().collect();
        NAMES.iter().find_map(|(found, languages)| {
            let mut names = languages.iter().flat_map(|names| names.split('|'));
            names
                .position(|known| known == name)
                .map(|rank| (*found, rank))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn of(levels: &[&str]) -> Option<Use> {
        Use::of_levels(levels).map(|(found, _)| found)
    }

    #[test]
    fn every_name_stands_for_one_use_in_any_case_and_composition() {
        let mut seen = HashMap::new();
        for (found, languages) in NAMES {
            for name in languages.iter().flat_map(|names| names.split('|')) {
                assert_eq!(name, name.trim(), "no blanks around names");
                assert_eq!(seen.insert(name, found), None, "{name} twice");
                assert_eq!(
                    of(&[name]),
                    Some(found),
                    "{name} is not in the form that is compared"
                );
                let decomposed: String = name.nfd().collect();
                assert_eq!(of(&[&decomposed]), Some(found), "{name} decomposed");
                // Capital dotted I has no simple way back; nobody writes these names all in capitals.
                let mut capital = name.chars();
                let first = capital.next().map(|c| c.to_uppercase().to_string());
                let name = first.unwrap_or_default() + capital.as_str();
                assert_eq!(of(&[&name]), Some(found), "{name}");
            }
        }
        assert!(seen.len() > 400, "{}", seen.len());
    }

    #[test]
    fn the_spellings_of_clients_and_providers_are_known() {
        let table = [
            (
                Use::Sent,
                "Sent Items|Sent Messages|Gesendete Objekte|Éléments envoyés|SENT|已发送|Отправленные|Απεσταλμένα",
            ),
            (
                Use::Drafts,
                "Drafts|Entwürfe|Brouillons|下書き|Piszkozatok|Schițe|임시보관함|草稿匣",
            ),
            (
                Use::Trash,
                "Deleted Items|Deleted Messages|Papierkorb|Prullenbak|Kosz|Roskakori|Çöp Kutusu|Кошик",
            ),
            (
                Use::Junk,
                "Junk E-mail|Junk-E-Mail|Bulk Mail|Spam|Courrier indésirable|Skräppost|Nevyžádaná pošta",
            ),
            (Use::Archive, "Archive|Archiv|Arkiv|Archivio|Архив|Arquivo"),
        ];
        for (wanted, names) in table {
            for name in names.split('|') {
                assert_eq!(of(&[name]), Some(wanted), "{name}");
                assert_eq!(of(&["Clients", name]), None, "{name} below another");
            }
        }
        assert_eq!(of(&["[Gmail]", "Sent Mail"]), Some(Use::Sent));
        assert_eq!(of(&["[Google Mail]", "Papierkorb"]), Some(Use::Trash));
        for name in ["Presents", "Werbung", "Sent|Drafts", "", "INBOX"] {
            assert_eq!(of(&[name]), None, "{name}");
        }
        let rank = |name: &str| Use::of_levels(&[name]).map(|(_, rank)| rank);
        assert!(
            rank("Sent") < rank("Sent Messages"),
            "the commonest is preferred"
        );
    }

    #[test]
    fn attributes_are_read_in_any_case() {
        let of = |text: &str| Use::of_attributes(&[text.to_owned()]);
        assert_eq!(of("\\SENT"), Some(Use::Sent));
        assert_eq!(of("\\HasChildren"), None);
        assert_eq!(of("\\All"), None);
    }

    #[test]
    fn each_attribute_names_its_use_in_any_case() {
        let named = [
            ("\\Sent", Some(Use::Sent)),
            ("\\DRAFTS", Some(Use::Drafts)),
            ("\\Trash", Some(Use::Trash)),
            ("\\Junk", Some(Use::Junk)),
            ("\\Spam", Some(Use::Junk)),
            ("\\Archive", Some(Use::Archive)),
            ("\\All", None),
            ("Trash", None),
        ];
        for (attribute, found) in named {
            let attributes = ["\\HasNoChildren".to_owned(), attribute.to_owned()];
            assert_eq!(Use::of_attributes(&attributes), found, "{attribute}");
        }
    }
}
