"""What mono-T5 and duo-T5 are asked, as tokens.

    mono    Query: q Document: d Relevant:
    duo     Query: q Document0: d_i Document1: d_j Relevant:

The answer is `true` or `false`, the first word that is written (Nogueira et al. 2020, Pradeep et al. 2021).
"""

from dewpoint.errors import UserError

WORDS = ["Query:", "Document:", "Document0:", "Document1:", "Relevant:"]
ANSWERS = ("true", "false")
ROOM = 24  # tokens that a question must have beside those of a query


class Prompts:
    """Questions of `length` tokens at most, of which a query has `query_length`; each closes with the token `end`.

    Where that is too few, passages are cut at their ends; of two a short one leaves its room to the other.
    """

    def __init__(self, tokenizer, length: int, query_length: int, end: int):
        self.tokenizer, self.length, self.query_length, self.end = tokenizer, length, query_length, end
        self.words = dict(zip(WORDS, self.ids(WORDS), strict=True))
        self.answers = [self._word(word) for word in ANSWERS]

    def ids(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def __call__(self, query: list[int], *documents: list[int]) -> list[int]:
        """Of the tokens of a query and of one document, or of two."""
        asked, end = [*self.words["Query:"], *query[: self.query_length]], self.words["Relevant:"]
        names = [self.words[name] for name in (["Document:"] if len(documents) == 1 else ["Document0:", "Document1:"])]
        room = self.length - len(asked) - len(end) - 1 - sum(map(len, names))
        if room < len(documents):
            raise UserError(
                f"{self.length} tokens leave no room for a passage beside a query; take more, or less of a query"
            )
        kept = shared(room, [len(ids) for ids in documents])
        parts = [[*name, *ids[:count]] for name, ids, count in zip(names, documents, kept, strict=True)]
        return [*asked, *(token for part in parts for token in part), *end, self.end]

    def _word(self, word: str) -> int:
        [ids] = self.ids([word])
        if len(ids) != 1 or ids[0] == self.tokenizer.unk_token_id:
            where = self.tokenizer.name_or_path
            raise UserError(
                f"{where}: has no token '{word}', which mono-T5 and duo-T5 answer; name a T5 that was so trained"
            )
        return ids[0]


def shared(room: int, lengths: list[int]) -> list[int]:
    """How much of each of one or two texts is kept in the room for all."""
    if len(lengths) == 1:
        return [min(room, lengths[0])]
    first = min(lengths[0], max(room // 2, room - lengths[1]))
    return [first, min(lengths[1], room - first)]
