"""Refusals in wordings that are no examples, and captions that sound like refusals."""

# ruff: noqa: RUF001 (letters of many languages)

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.quality.placeholders import is_placeholder
from engine.quality.refusal_features import unquoted
from engine.quality.refusal_phrases import REFUSAL_ELSEWHERE
from engine.quality.refusal_weights import BIAS
from engine.quality.refusal_words import WEAK_CUES
from engine.quality.refusals import (
    ANY_CUE,
    has_cue,
    is_refusal,
    reasons_of,
    refuses_in_english,
    score_of,
    weights_of_features,
)
from engine.quality.words import words_of
from tests.engine.quality import caption_cases as cases
from tests.engine.quality import train_refusals

REFUSALS = (
    "You haven't attached any image.",
    "Upload an image and I will describe it.",
    "The provided image is not accessible to me.",
    "Without seeing the image, I cannot say.",
    "Hmm, I can't seem to open the image.",
    "Content not available.",
    "It contains explicit material that I am not permitted to describe.",
    "I don't see any picture here, could you send it again?",
    "It looks like you forgot to attach the photo.",
    "Send me the picture and I'll write a caption.",
    "I haven't received any image.",
    "The uploaded picture seems to be corrupted.",
    "That's not something I can help with.",
    "For privacy reasons, I can't name the person shown.",
    "If you upload an image, I can describe it for you.",
    "There doesn't seem to be an image in your message.",
    "Your message does not contain an image.",
    "Error loading image.",
    "Request declined.",
    "No description available.",
    "Image input is not supported.",
    "Viewing images is beyond my capabilities.",
    "I must refrain from describing this image.",
    "I only have access to text.",
    "Which image are you referring to?",
    "Try uploading the image again.",
    "I would be happy to describe the image, but I don't see one.",
    "The image you've shared didn't come through on my end.",
    "You have not provided a photo for me to describe.",
    "Please attach the picture so I can take a look.",
    "No visual input was received.",
    "I have not been given an image to caption.",
    "The attached file could not be opened.",
    "Image unavailable.",
    "This content may violate our usage policies.",
    "The picture shows nudity, which I'm not allowed to describe.",
    "To protect privacy, I do not identify individuals in photos.",
    "Once you share the photo, I'll be able to describe it.",
    "There isn't an image attached to this conversation.",
    "Your picture hasn't loaded.",
    "Could not process image.",
    "Caption unavailable.",
    "This model does not support images.",
    "I'm a text-only assistant, so pictures are beyond what I can handle.",
    "Describing this photo would go against the safety guidelines.",
    "I'd rather not comment on this person's appearance.",
    "Can you re-upload the picture?",
    "Nothing was attached to your message.",
    "I am not equipped with vision.",
    "My capabilities are limited to text.",
    "Without access to the photo, I'm only able to guess.",
    "I can't make out anything, the photo is missing.",
    "The photograph you linked is unavailable.",
    "No attachment came through, could you try again?",
    "Please share the photo you would like me to caption.",
    "I was not provided with an image.",
    "You forgot to include the picture.",
    "I can't provide details about the person in this photo.",
    "I won't be able to caption that without the image.",
    "It seems you haven't uploaded the file yet.",
    "Unable to generate description.",
    "Caption could not be generated.",
    "I'm unable to determine what the picture shows.",
    "Because of our content guidelines, I can't caption this.",
    "Apologies for the inconvenience, but I cannot open attachments.",
    "Image processing failed.",
    "Sorry, the picture isn't loading for me.",
    "I can't tell who this person is.",
    "I don't currently have the ability to look at pictures.",
    "The link does not lead to an image.",
    "Once the image is uploaded, I can write a caption.",
    "If you describe the photo to me, I can write a caption.",
    "I do not engage with this type of content.",
    "My safety guidelines prevent me from describing this.",
    "This picture is not something I can talk about.",
    "A photo of a nude woman, which I cannot describe in detail.",
    "I see no image in our conversation.",
    "There's nothing attached here.",
    "Let me know when you have uploaded the photo.",
    "As a vision model without input, I have nothing to describe.",
    "Regretfully, I can't view that photo.",
    "The content of this image cannot be described due to policy restrictions.",
    "I can't view the attachment you sent.",
    "I was unable to access the picture at that link.",
    "Please re-upload the photo, it seems to be corrupted.",
    "I do not have enough information to caption this image.",
    "We're sorry, this image is no longer available.",
    "I'm not permitted to comment on the appearance of real people.",
    "As a multimodal assistant, I can't help with explicit images.",
    "No picture has been shared yet.",
    "Describing this person is against my guidelines.",
    "I am not able to see any photograph in your prompt.",
    "Your photo could not be processed.",
    "I cannot comply with this request as it involves a minor.",
    "I'd love to help, but I don't see an image.",
    "Unfortunately, no image was found at the address.",
    "I couldn't load that file.",
    "Image could not be displayed.",
    "The image contains content that I can't describe.",
    "I'm an AI assistant and cannot look at photos.",
)
"""As instruction-tuned models write them."""
OTHERS = (
    'A "Sorry We\'re Closed" sign hangs in the window of a bakery',
    "A 'Sorry We're Closed' sign hangs in the window",
    "A “Sorry We’re Closed” sign hangs on a glass door",
    "Sorry We're Closed sign on a door",
    "I am unable to fly, says the penguin",
    "Unable to find parking, a driver waits in the street",
    "i don't see the point of these shoes",
    "sorry not sorry t - shirt",
    "i can't find my glasses funny mug",
    "I cannot live without you - wall art",
    "Can't see the forest for the trees",
    "I'm afraid of heights but i did it anyway",
    "forgive me father for i have sinned quote",
    "safety warning sign on a fence",
    "please share this picture with your friends",
    "we are not going to the beach today , says the cat",
    "i won't give up poster",
    "sorry no vacancies sign outside a motel",
    "I couldn't help falling in love with you print",
    "Unable to get up, an old dog rests on the porch",
    "i do not know what to wear : woman in front of closet",
    "Can't make the match? watch the game in the park",
    "We're sorry for your loss sympathy card with lilies",
    "i refuse to grow up baby bodysuit",
    "we do not have a dog , but a cat named person",
    "Failed to take off, the plane stands on the runway",
    "i was unable to resist this cake",
    "Hi, I don't read minds - coffee cup",
    "I have no idea what i'm doing dog in front of a computer",
    "You can't share my pizza , says cartoon bear",
    "Upload your photo and create a custom puzzle",
    "the image is not my own but i love this dress",
    "Content creator in a studio with ring light",
    "Without water, we would not see flowers in the desert",
    "No photo can show how beautiful this lake is",
    "the photo was not taken in a studio",
    "As an assistant coach, person led the team to a title",
    "Apologies to the chef: a burnt pizza on a tray",
    "Not able to open the gate, two sheep look over it",
    "i don't always drink coffee but when i do funny mug",
    "We are unable to ship this sofa to islands",
    "Cannot beat a good cup of tea on a rainy day",
    "sorry for the blurry photo , my cat would not sit still",
    "i can't believe it 's not butter tub on a table",
    "We can't all be princesses hand lettering",
    "I'm sorry ms jackson vinyl record cover",
    "Please send help : woman buried in laundry",
    "What image of the city comes to mind first ?",
    "If you look closely, you can see a heron in the reeds",
    "Share this recipe with a friend",
    "without a doubt the best picture we took that day",
    "do not enter sign on a red brick wall",
    "Due to heavy snow, the road to the pass is closed",
    "The file cabinet is not closed in the office",
    "the model does not wear shoes on the runway",
    "Content cows graze on a hill",
    "Images of the beach at sunrise",
    "photo not for sale , framed on a gallery wall",
    "You need to see this sunset to believe it",
    "i do n't need therapy , i just need to go fishing t - shirt",
    "Unable to swim, a puppy wears a life vest",
    "I can't keep calm it's my birthday banner",
    "Not allowed on the couch, a dog lies on the carpet",
    "i was not able to finish this huge burger",
    "No photo does this lake justice",
    "apologise to your mum card with flowers",
    "i don't know who made this quilt but it is lovely",
    "Once upon a time sign in a nursery",
    "There isn't a cloud in the sky over the beach",
    "a cat as an assistant in an office",
    "We don't talk anymore album art",
    "sorry we missed you door hanger",
    "i can't wait to see these flowers bloom",
    "Unable to sleep, a child reads under the covers",
    "I won't share my fries, the seal seems to say",
    "do not feed the bears sign in a park",
    "no image is as famous as this portrait of a queen",
    "Please do not touch the exhibits",
    "we did n't see any whales but the view was great",
    "You have to send postcards from here",
    "i 'm not able to dance cartoon penguin",
    "Hello, I am a robot, says the toy in the box",
    "Content is king banner on an office wall",
    "i do not know how to describe the taste of this soup",
    "what do you see in this inkblot ?",
    "Oh no, the cat has knocked over the vase",
    "As an artist, person paints with light",
    "Request stop sign at a bus station",
    "failed to load the truck before noon , workers rest",
)
"""Captions, and alternative texts in the manner of those that were collected from the web: signs,
quotes on shirts and mugs, titles of posters."""


ODD_REFUSALS = (
    "There is no way I can caption a picture that never reached me.",
    "I'm a language-only system, hence photographs are lost on me.",
    "My makers did not give me eyes, so please put the picture into words.",
    "The snapshot you mention did not arrive with your message.",
    "We have decided not to describe photographs of accidents.",
    "Captioning pictures of minors is against what I was taught.",
    "Sorry, the upload got stuck, could I have it once more?",
    "It would violate someone's privacy if I told you who this is.",
    "Whatever is in this picture, I am unable to open it.",
    "Could not obtain a caption, the model returned an empty answer.",
    "This tool won't write about weapons.",
    "Regrettably I must leave this image without a caption.",
    "I looked for an attachment and found none.",
    "Is the image attached? I can't find it.",
    "As a machine without sight I have to rely on your words.",
    "Your JPEG is damaged beyond what I can read.",
    "I am asked to describe a face, which my rules do not permit.",
    "The safety layer stopped this answer.",
    "Image decoding was unsuccessful, so no caption is available.",
    "That picture shows something I'd rather not put into words.",
    '{"status": "refused", "reason": "explicit content"}',
    "status: failed - image url returned 404",
    "I can only guess, since no photo was sent.",
    "Kindly provide the picture that needs a caption.",
    "No pixels were passed to me, only your question.",
    "I will pass, thanks.",
    "Forgive me, but I can't talk about what's shown here.",
    "You'd have to show me the photo first.",
    "The picture won't render here.",
    "Nothing I say about this image would be reliable, as I cannot view it.",
    "A caption for this would break the rules of this service.",
    "I apologise: graphic injuries are not something I describe.",
    "Oops, your file came through empty.",
    "I have no information on what the photo displays.",
    "The vision part of this assistant is offline, try again tomorrow.",
    "Not in a position to help with this one.",
    "Please be aware that I don't identify celebrities.",
    "Describing that would be unsafe, so I won't.",
    "Because the URL is blocked for me, I have not seen the picture.",
    "I am unable to produce alt text for this.",
)
"""In voices further off than models': written last, to see how far the words of others carry."""
ODD_OTHERS = (
    "A lifeguard who can't hear the shouts looks at the sea",
    "The mirror is broken, and the image in it has two faces",
    "no bikes on the pier please, asks a painted board",
    "A nurse could not open the window of the old ward",
    "Sorry, sold out: a shelf in a bakery on Sunday",
    "An unsuccessful launch leaves smoke above the pad",
    "I have two left feet, says a dancing sock",
    "My mother never saw this picture of her garden",
    "The picture hanging in the hall cannot be seen from the stairs",
    "We were not allowed to take photos inside, so here is the door",
    "you need good shoes for this trail in the dolomites",
    "The image shows a child who does not want to eat spinach",
    "The image shows an assistant handing a file to a judge",
    "There is no fence between the cows and the road",
    "A violin without strings lies on an empty seat",
    "Unable to find its mother, a fawn stands in high grass",
    "A goalkeeper fails to stop a penalty",
    "A mailbox full of letters that nobody has answered",
    "the lost city of petra at first light",
    "i do not eat meat, so this burger is made of beans",
    "i'm only here for the snacks banner over a buffet",
    "What you can't see in this photo is the crowd behind me",
    "A text on the board explains why swimming is forbidden",
    "A robot dog refuses to climb the stairs in a laboratory",
    "ai art of a girl in a field of glass flowers",
    "A photographer deletes an image from her camera",
    "A clerk rejects a form because a signature is missing",
    "the request line of a radio show on an old poster",
    "please mind your head, low door in a castle",
    "The face of the statue is damaged, but the hands are intact",
    "It is not known who left the piano on the beach",
    "Sadly this wooden bridge did not survive the flood",
    "A sad clown apologizes to a child with a broken balloon",
    "No one helps the tourist who has dropped his map",
    "A blank wall, a blank sheet and a man without an idea",
    "An interpreter describes the play to a woman who cannot see",
    "Could you resist these eyes? A labrador begs for cheese",
    "A photo of me failing to stand on a surfboard",
    "The model on the left does not carry a handbag",
    "Due to fog, the bridge can hardly be seen in this image",
)
TALK = (
    "Okay, now I need to put the scene into one sentence.",
    "I need to stay below twenty tokens.",
    "I should check whether the caption is short enough.",
    "My task is to name the main subject, which is a heron.",
    "We need to answer in a single sentence.",
    "The user wants to have one line about this photo.",
    "The user is not asking for a long text.",
    "To describe the scene, I'd name the bridge first.",
    "The caption should not be longer than one line.",
    "Given the prompt, I will name the bridge and the river.",
    "Let me read the instruction again.",
    "You are an AI assistant that writes alternative texts.",
    "You are given a photo and must describe it.",
    "Your job is to caption the photo.",
    "Provide an accurate one-line description of the photo.",
    "Please give me one line about the picture.",
    "Please summarize the photo.",
    "Can you describe the given photo?",
    "What is going on in this photo?",
    "What else do you want to learn about the photo?",
    "Would you like some more details about this photo?",
    "Should I write a longer caption for you?",
    "Yes, I can view this photo.",
    "Sure, I see the photo that you sent.",
    'I\'d title this photo "The last ferry".',
    "Here's a simple, short caption for your photo:",
    "Thank you for sending me this photo!",
    "What a wonderful photo!",
)
"""What a model says beside a caption, which refuses nothing: plans, its prompt, words to the
user."""
ABOUT_THE_CAPTION = (
    'A suitable title could be "The last snow."',
    'One might caption this scene as "Rush hour in the rain."',
    'I would title it "Two friends at sea."',
    "A concise caption for this picture would be 'A tent in a storm.'",
    'My proposal for a caption is "A kiln at work."',
    'You can caption the image like this: "A market hall."',
    'Perhaps "A tired clown" could be a caption.',
    'In my view the caption should be "An empty quay".',
    "Going by what I see, this would be my caption.",
    "Here's the description that you wanted!",
    "Here is what I would write.",
    "Here's one that fits the photo.",
    "That would be my description.",
    "Let me explain what the photo shows.",
    "Let me try to describe this picture.",
    "I will give you a description of the photo.",
    "I am happy to tell you about this image!",
    "Glad to caption it for you.",
    "Photograph by: unknown. Description: A barn on a moor.",
    "Credit: unknown. Caption: a trumpet in its case",
    "human",
    "system",
    "AI: a sledge behind a horse",
    "Question: which animals are in the photo?",
    "Question: what can be seen here? Answer: a jetty",
    "What objects are in this picture?",
    "How can I assist you with your image?",
    "What may I do for you today?",
    "Whoopsie!",
    "Whoops, a bucket of paint on the stairs",
    "What else shall I tell you about the picture?",
    "I hope that this is the caption that you wanted.",
    "Your caption: a ferry in the mist",
    "This is what the picture shows.",
    "I see this picture as a study in grey.",
    "Would this caption suit you?",
    "Should I make it shorter?",
    "Can I be of further help with this picture?",
    "I've written a caption for your photo.",
    "Please find my caption below.",
    "An apt caption is 'Lanterns over the river.'",
    'This photo could be captioned "The longest day".',
    'As a caption I propose "Four friends, one umbrella."',
    'We can sum up the picture as "Dust and wind".',
    'If I had to name this picture: "Calm before the storm".',
    'I think that "A lone skier" sums it up.',
    "I came up with this caption for you:",
    "I've put together a short description.",
    "I see what you mean, here is another version.",
    "Now I'll tell you about the photo that you uploaded.",
    "Let us see what the photo shows.",
    "You asked for a caption, and here it is.",
    "This describes the picture best.",
    "Just one sentence, as you asked.",
    "My pleasure!",
    "Anything else?",
    "Can I do something else for you?",
    "How would you like your caption?",
    "Which style do you prefer?",
    "Should the caption be funny or plain?",
    "What kind of caption are you looking for?",
    "Question: which sport is shown?",
    "Q: what are they holding?",
    "Who can be seen in this photo?",
    "Where was this picture taken?",
    "The user sent a photo of a fountain.",
    "an AI",
    "machine: a sledge",
    "Foto: unknown / Caption: a bell tower",
    "Image credit: unknown. Shepherds rest under an oak.",
)
"""What a model says of its caption or to the user, which refuses nothing, and labels. Examples
were written after a look at the first 40, and none for the others."""
SIGNS = (
    "sign that says no selfies please",
    "a board which says please no tripods",
    "notice that reads no filming in this hall",
    "A dialog box says that the disk is full and cannot be used",
    'A phone shows the message "Could not load picture. Tap to retry."',
    'A phone shows the message "Could not load picture',
)
NEAR_REFUSALS = (
    "Shall we turn to another topic?",
    "Let's speak of something different.",
    "I have never learned to answer this sort of question.",
    "I haven't learned to respond to that yet. Do you want to ask me something else?",
    "The image service is offline, try again later.",
    "My image model is offline just now.",
    "finish_reason: content_filter",
    "content_filter",
    "Insufficient information.",
    "insufficient context",
    "Sorry, famous people are off limits.",
    "Apologies, faces are a no-go.",
)
"""Refusals that do not say what cannot be done."""
PASSES = (
    "I think I'm going to pass on this picture, it is rather bloody.",
    "I'd sooner pass on this photo: it shows a corpse.",
    "Nothing turned up on my end. Mind uploading it anew?",
    "Hm, I've got nothing here. Care to share the photo once more?",
    "The photo doesn't appear on my side yet.",
    "I'd prefer to pass on this picture of a corpse.",
    "I'll have to pass on a picture with so much blood.",
    "There was nothing in your message on my side. Could you try again?",
    "I would like to pass on this picture: a person is badly hurt.",
    "No photo turned up on my side.",
    "I must pass on this one, as it shows an injured child.",
)
"""Of models that pass on an image, or to which none has come, in everyday words."""
ELSEWHERE = (
    "Lo siento, pero no puedo describir a esta persona.",
    "No tengo acceso a la foto que mencionas.",
    "Je suis désolé, l'image ne s'affiche pas.",
    "En tant qu'assistant, je ne peux pas regarder les photos.",
    "Ich kann auf diesem Foto leider niemanden erkennen.",
    "Es tut mir leid, das Bild wurde nicht geladen.",
    "Purtroppo non sono in grado di aprire il file.",
    "Infelizmente não consigo abrir a foto.",
    "Helaas kan ik de foto niet openen.",
    "Nie mogę opisać tego zdjęcia.",
    "Tyvärr kan jag inte öppna bilden.",
    "Desværre kan jeg ikke se billedet.",
    "Извините, но изображение не загрузилось.",
    "К сожалению, я не вижу фотографии.",
    "Üzgünüm, fotoğraf yüklenmedi.",
    "Maaf, saya tidak dapat membuka gambar ini.",
    "Rất tiếc, tôi không thể mở ảnh này.",
    "Λυπάμαι, η εικόνα δεν άνοιξε.",
    "عذرا، لا أستطيع فتح الصورة",
    "我无法识别照片中的人物。",
    "对不起，图片没有上传成功。",
    "すみません、写真を開くことができません。",
    "사진을 열 수 없어서 설명할 수 없습니다.",
)
"""In other languages than English."""


TEXTS = st.lists(
    st.sampled_from(
        """
        the this there no not image picture caption is are was be been can cannot I you your we dog
        red describe see attached uploaded unavailable broken empty sorry, please upload policy a of
        in with from which what only too hard lost. It shows
        """.split()  # noqa: SIM905
    ),
    max_size=12,
).map(" ".join)


def refuses(text: str) -> bool:
    words = words_of(text)
    return is_refusal(text, words, frozenset(words))


@pytest.mark.parametrize(
    ("texts", "most_missed"),
    [
        *((REFUSALS, 0.05), (cases.REFUSALS, 0.05), (ODD_REFUSALS, 0.1), (NEAR_REFUSALS, 0.1)),
        (PASSES, 0.2),
    ],
)
def test_refusals_are_found_in_wordings_that_are_no_examples(
    texts: Sequence[str], most_missed: float
) -> None:
    missed = [text for text in texts if not refuses(text)]
    assert len(missed) <= most_missed * len(texts), missed


@pytest.mark.parametrize(
    ("texts", "most_wrong"),
    [
        (OTHERS, 0.05),
        (cases.GOOD, 0.01),
        (ODD_OTHERS, 0.05),
        (TALK, 0.2),
        (ABOUT_THE_CAPTION, 0.15),
        (SIGNS, 0),
    ],
)
def test_what_sounds_like_a_refusal_is_hardly_ever_taken_for_one(
    texts: Sequence[str], most_wrong: float
) -> None:
    wrong = [text for text in texts if refuses(text)]
    assert len(wrong) <= most_wrong * len(texts), wrong


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_refusal_in_another_language_is_found(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", ["null", "None.", "<no caption>", "(no description)", "n/a"])
def test_a_placeholder_is_no_refusal(text: str) -> None:
    assert not refuses(text)


@pytest.mark.parametrize("text", cases.OTHER_LANGUAGES)
def test_a_caption_in_another_language_is_no_refusal(text: str) -> None:
    assert not refuses(text)


@pytest.mark.parametrize("joint", [". It shows ", ". In the picture there is "])
def test_a_refusal_is_found_with_a_description_behind_it(joint: str) -> None:
    described = [f"{text.rstrip('.')}{joint}a rider in a blue vest" for text in REFUSALS]
    assert sum(map(refuses, described)) >= 0.9 * len(described)
    described = [f"{text.rstrip('.')}{joint}a rider in a blue vest" for text in OTHERS]
    assert sum(map(refuses, described)) <= 0.05 * len(described)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('"I cannot describe this image."', True),
        ('{"caption": null, "error": "the image could not be opened"}', True),
        ('A shirt that says "I cannot describe this image."', False),
        ("I cannot describe this image.", True),
        ("I can\u2019t describe this image.", True),
        ("I CANNOT DESCRIBE THIS IMAGE", True),
    ],
)
def test_what_a_caption_quotes_does_not_count(text: str, is_found: bool) -> None:
    assert refuses(text) == is_found


@given(TEXTS)
@example("the image is not available")
@example("image unavailable")
@example("caption unavailable")
@example("the caption is empty")
@example("the dog is hidden")
@example("the image is broken and the dog and the cat sit in a red box")
@example("no puedo")
@example("\u62b1\u6b49")
def test_a_refusal_is_what_the_weights_or_the_other_languages_find(text: str) -> None:
    words = words_of(text)
    expected = not is_placeholder(words) and (
        (has_cue(set(words)) and refuses_in_english(text))
        or REFUSAL_ELSEWHERE.match(unquoted(text)) is not None
    )
    assert refuses(text) == expected


def test_hardly_a_refusal_lacks_a_cue() -> None:
    texts = [*REFUSALS, *cases.REFUSALS, *ODD_REFUSALS]
    lacking = [text for text in texts if (ANY_CUE | WEAK_CUES).isdisjoint(words_of(text))]
    assert len(lacking) <= 0.01 * len(texts), lacking


def held_out(name: str) -> list[str]:
    """Return the lines of a list whose author had seen neither the program nor the examples."""
    path = train_refusals.EXAMPLES / f"held_out_{name}.txt"
    return path.read_text(encoding="utf-8").splitlines()


def test_refusals_of_an_author_who_knew_no_example() -> None:
    """Nobody may look at them and then change the examples or the kinds of words."""
    found = sum(map(refuses, held_out("refusals")))
    wrong = sum(map(refuses, held_out("captions")))
    assert found >= 0.95 * len(held_out("refusals"))
    assert found >= 0.95 * (found + wrong)


def test_no_example_is_tested_here() -> None:
    examples = {tuple(words_of(text)) for text in train_refusals.read_examples()[0]}
    tested = (
        *(*REFUSALS, *OTHERS, *ODD_REFUSALS, *ODD_OTHERS, *cases.REFUSALS, *cases.GOOD),
        *(*TALK, *ABOUT_THE_CAPTION, *SIGNS, *NEAR_REFUSALS, *PASSES),
        *(*held_out("refusals"), *held_out("captions")),
    )
    assert len(examples) > 2000
    assert [text for text in tested if tuple(words_of(text)) in examples] == []


def test_the_weights_are_those_of_the_examples() -> None:
    """They are rounded to tenths, so that another processor may find one a tenth off."""
    weights, bias = train_refusals.train(*train_refusals.read_examples())
    saved = weights_of_features()
    assert bias == pytest.approx(BIAS, abs=0.11)
    assert all(
        weights.get(name, 0.0) == pytest.approx(saved.get(name, 0.0), abs=0.11)
        for name in weights.keys() | saved.keys()
    )


def test_the_reasons_add_up_to_the_score() -> None:
    text = "I am sorry, but I cannot see a picture."
    reasons = reasons_of(text)
    assert BIAS + sum(weight for weight, _ in reasons) == pytest.approx(score_of(text))
    assert reasons[0][0] > 0 > reasons[-1][0]
